package main

import (
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fitHelp has the help of all commands fit the terminal: paragraphs are filled, flags and what
// commands do are wrapped, and a comment that stands too far behind an example goes above it.
func fitHelp(root *cobra.Command) {
	most := func() int { return min(width(os.Stdout), 120) }
	cobra.AddTemplateFunc("wrapped", func(flags *pflag.FlagSet) string { return flags.FlagUsagesWrapped(most()) })
	cobra.AddTemplateFunc("filled", func(text string) string { return filled(text, most()) })
	cobra.AddTemplateFunc("beside", func(text string, left int) string {
		return strings.ReplaceAll(filled(text, max(most()-left-3, 20)), "\n", "\n"+strings.Repeat(" ", left+3))
	})
	cobra.AddTemplateFunc("examples", func(text string) string { return examples(text, most()) })
	root.SetUsageTemplate(strings.NewReplacer(
		".LocalFlags.FlagUsages", "wrapped .LocalFlags", ".InheritedFlags.FlagUsages", "wrapped .InheritedFlags",
		"{{rpad .Name .NamePadding }} {{.Short}}", "{{rpad .Name .NamePadding }} {{beside .Short .NamePadding}}",
		"{{.Example}}", "{{examples .Example}}").Replace(root.UsageTemplate()))
	root.SetHelpTemplate(strings.Replace(root.HelpTemplate(), "{{. | trimTrailingWhitespaces}}", "{{filled . | trimTrailingWhitespaces}}", 1))
}

// filled breaks the paragraphs of a text anew, at most so many letters a line. Of what is indented
// only the second column of lines that are too long is broken.
func filled(text string, most int) string {
	var out, words []string
	flush := func() {
		line, length := "", 0
		for _, w := range words {
			n := utf8.RuneCountInString(w)
			switch {
			case length == 0:
				line, length = w, n
			case length+1+n > most:
				out = append(out, line)
				line, length = w, n
			default:
				line, length = line+" "+w, length+1+n
			}
		}
		if length > 0 {
			out = append(out, line)
		}
		words = nil
	}
	for _, l := range strings.Split(text, "\n") {
		if l == "" || l[0] == ' ' || l[0] == '\t' || strings.HasPrefix(l, "- ") {
			flush()
			out = append(out, hanging(l, most))
			continue
		}
		words = append(words, strings.Fields(l)...)
	}
	flush()
	return strings.Join(out, "\n")
}

// hanging breaks what stands in the second column of an indented line, behind two spaces or more.
func hanging(l string, most int) string {
	name := strings.TrimLeft(l, " ")
	at := strings.Index(name, "  ")
	if at < 0 || utf8.RuneCountInString(l) <= most {
		return l
	}
	text := strings.TrimLeft(name[at:], " ")
	column := utf8.RuneCountInString(l) - utf8.RuneCountInString(text)
	if column > most/2 {
		return l
	}
	return l[:len(l)-len(text)] + strings.ReplaceAll(filled(text, most-column), "\n", "\n"+strings.Repeat(" ", column))
}

// examples puts comments that do not fit behind their commands above them. Commands are never broken:
// they are there to be copied.
func examples(text string, most int) string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if command, comment, ok := strings.Cut(l, "  #"); ok && utf8.RuneCountInString(l) > most && strings.TrimSpace(command) != "" {
			out = append(out, "  #"+comment, strings.TrimRight(command, " "))
			continue
		}
		out = append(out, l)
	}
	return strings.Join(out, "\n")
}
