package logpattern

import (
	"bytes"
	"strings"
)

// variable stands for a variable part in a masked message. Control characters
// of the input become spaces, so it cannot come from there.
const variable = 1

// literal begins the text of a kind that is known already.
const literal = 2

// Bounds of a masked message: what lies beyond them becomes one variable, so
// that a line of any length costs little.
const (
	maxMasked = 1 << 10 // bytes
	maxRead   = 8 << 10 // bytes of the message that are looked at
	maxWord   = 128     // a longer word is data
)

// Classes of bytes.
const (
	space  = 1 << iota // separates words; a run of them is one
	strong             // separates words and is a word of its own
	fine               // separates the parts of a word
	digit
	upper
	lower
	slash // / and \
)

var class = func() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = space
	}
	t[' '], t[0x7f] = space, space
	for _, c := range []byte("`,!;:=|\"'[](){}<>") {
		t[c] = strong
	}
	for _, c := range []byte(`.-+@#$%&~*`) {
		t[c] = fine
	}
	t['/'], t['\\'] = slash, slash
	for c := 0x80; c < 0x100; c++ { // of letters that are not ASCII
		t[c] = lower
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = digit
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = lower, upper
	}
	return t
}()

// AppendMasked appends to dst the message with what is variable by its very
// look replaced by a control character: what [Miner.AddMasked] takes. It is a
// function of the message alone, for those who mask on many cores and mine on one.
func AppendMasked(dst []byte, message string) []byte { return appendMasked(dst, message) }

// AppendKind appends what [Miner.AddMasked] takes for a message of which the kind is known already, such as the
// event code of a record that has no words: it is taken as it stands, and is never made one kind with another.
func AppendKind(dst []byte, kind string) []byte {
	start := len(dst)
	dst = append(dst, literal)
	for i := 0; i < len(kind) && i < maxMasked; i++ {
		switch c := kind[i]; {
		case class[c] != space:
			dst = append(dst, c)
		case dst[len(dst)-1] != ' ' && len(dst) > start+1:
			dst = append(dst, ' ')
		}
	}
	return bytes.TrimRight(dst, " ")
}

// appendMasked appends the message with what is variable by its very look
// replaced: numbers, addresses, identifiers, paths and the like. White space is
// one space between words and none at the ends.
func appendMasked(dst []byte, s string) []byte {
	start := len(dst)
	cut := len(s) > maxRead
	if cut {
		s = s[:maxRead]
	}
	for i := 0; i < len(s); {
		if len(dst)-start > maxMasked {
			cut = true
			break
		}
		c := s[i]
		switch class[c] & (space | strong) {
		case space:
			for i < len(s) && class[s[i]] == space {
				i = max(i+1, escapeEnd(s, i))
			}
			if i < len(s) && len(dst) > start {
				dst = append(dst, ' ')
			}
			continue
		case strong:
			if c == '(' {
				if end := restated(s, i); end > 0 && afterUnit(dst[start:]) {
					dst, i = bytes.TrimRight(dst, " "), end
					continue
				}
			} else if c == '<' {
				if end := bound(s, i); end > 0 {
					dst, i = append(dst, variable), end
					continue
				}
			}
			if c == '"' {
				if end := quoted(s, i); end > 0 {
					dst, i = append(dst, '"', variable, '"'), end
					continue
				}
			}
			dst = append(dst, c)
			i++
			if c == '=' && i < len(s) && (s[i] == '"' || s[i] == '\'') && !isMessageKey(lastWord(s[:i-1])) {
				if n := quoteEnd(s[i+1:min(len(s), i+512)], s[i]); n > 0 {
					dst = append(dst, s[i], variable, s[i])
					i += n + 2
				}
			}
			continue
		}
		j, seen := i, uint8(0)
		for j < len(s) && class[s[j]]&(space|strong) == 0 {
			seen |= class[s[j]]
			j++
		}
		if seen&(digit|slash|fine) == 0 && (j >= len(s) || s[j] != ':' && s[j] != '[') {
			// A plain word, the common case.
			if j-i == 3 {
				end := 0
				switch {
				case isWeekday(s[i:j]):
					end = dateEnd(s, j)
				case isMonth(s[i:j]):
					end = monthEnd(s, j)
				}
				if end > 0 {
					dst, i = append(dst, variable), end
					continue
				}
			}
			switch {
			case j-i > maxWord, (j-i == 4 || j-i == 5) && len(dst) > start && isValue(s[i:j]), j-i >= 8 && isHexWord(s[i:j]):
				dst = append(dst, variable)
			default:
				dst = append(dst, s[i:j]...)
			}
			i = j
			continue
		}
		dst, i = appendWord(dst, s, i, j, seen)
	}
	if cut {
		dst = append(bytes.TrimRight(dst, " "), ' ', variable)
	}
	return dst
}

// escapeEnd returns the end of a control sequence of a terminal, such as one that sets a colour, that begins
// at i (ECMA-48 §5.4: CSI, parameters, a final byte). It is 0 if there is none.
func escapeEnd(s string, i int) int {
	if s[i] != 0x1b || i+1 >= len(s) || s[i+1] != '[' {
		return 0
	}
	for j := i + 2; j < len(s) && j-i < 32; j++ {
		if c := s[j]; c >= 0x40 && c <= 0x7e {
			return j + 1
		} else if c < 0x20 || c > 0x7e {
			break
		}
	}
	return 0
}

// withoutEscapes returns the message without what [escapeEnd] tells.
func withoutEscapes(message string) string {
	i := strings.IndexByte(message, 0x1b)
	if i < 0 {
		return message
	}
	out := []byte(message[:i])
	for i < len(message) {
		if end := escapeEnd(message, i); end > 0 {
			out, i = append(out, ' '), end
			continue
		}
		out = append(out, message[i])
		i++
	}
	return string(out)
}

// quoted returns the end of a word in double quotes that begins at i: a value, of any length if it is a
// URL, unless a colon behind it makes it a key. It is 0 if there is none.
func quoted(s string, i int) int {
	if i > 0 && class[s[i-1]]&space == 0 {
		return 0
	}
	most := maxWord
	for j := i + 1; j < len(s) && j-i <= most && class[s[j]]&space == 0; j++ {
		if s[j] == ':' && strings.HasPrefix(s[j:], "://") {
			most = maxRead
		}
		if s[j] == '"' {
			if j == i+1 || j+1 < len(s) && s[j+1] == ':' {
				return 0
			}
			return j + 1
		}
	}
	return 0
}

// quoteEnd returns where a quote closes that was opened before s; one behind a backslash does not. It is -1 if none does.
func quoteEnd(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}

// isMessageKey reports whether a key names the message in lines of keys and values, which is no value.
func isMessageKey(w string) bool { return w == "msg" || w == "message" || w == "event" }

// lastWord returns the letters in which s ends.
func lastWord(s string) string {
	i := len(s)
	for i > 0 && class[s[i-1]]&(upper|lower) != 0 {
		i--
	}
	return s[i:]
}

// isWeekday reports whether three letters begin the name of a day.
func isWeekday(w string) bool {
	switch w {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

func isMonth(w string) bool {
	switch w {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
		return true
	}
	return false
}

// dateEnd returns the end of a date as ctime(3) and date(1) write it, of which
// the weekday ends at i: "Sat Jun 18 02:08:10 2005", "Fri Jul 01 08:16:53 PDT
// 2005". It is 0 if there is none.
func dateEnd(s string, i int) int {
	m, i := dateWord(s, i)
	if !isMonth(m) {
		return 0
	}
	end := monthEnd(s, i)
	if end == 0 { // Jun 18 2005
		d, i := dateWord(s, i)
		y, i := dateWord(s, i)
		if len(d) == 0 || len(d) > 2 || class[d[0]] != digit || len(y) != 4 || class[y[0]] != digit || class[y[3]] != digit {
			return 0
		}
		return i
	}
	for i, n := end, 0; n < 2; n++ { // zone, year
		var w string
		w, i = dateWord(s, i)
		if isYear := len(w) == 4 && class[w[0]] == digit && class[w[3]] == digit; isYear {
			return i
		} else if len(w) < 2 || len(w) > 5 || class[w[0]] == lower {
			break
		}
	}
	return end
}

// monthEnd returns the end of a day and a time of day, "18 02:08:10", behind
// the name of a month that ends at i.
func monthEnd(s string, i int) int {
	d, i := dateWord(s, i)
	if len(d) == 0 || len(d) > 2 || class[d[0]] != digit {
		return 0
	}
	t, i := dateWord(s, i)
	if len(t) < 5 || t[2] != ':' || class[t[0]] != digit || class[t[4]] != digit {
		return 0
	}
	if t[len(t)-1] == ':' {
		i--
	}
	return i
}

// clfEnd returns the end of a date as web servers write it, of which s[i:j] is
// the day: "10/Oct/2000:13:55:36 -0700". It is 0 if there is none.
func clfEnd(s string, i, j int) int {
	if j-i != len("10/Oct/2000") || s[i+2] != '/' || s[i+6] != '/' || !isMonth(s[i+3:i+6]) || class[s[i]] != digit || class[s[i+7]] != digit {
		return 0
	}
	if len(s) < j+9 || s[j] != ':' || s[j+3] != ':' || s[j+6] != ':' || class[s[j+8]] != digit {
		return j
	}
	if end := j + len(":13:55:36 -0700"); len(s) >= end && s[j+9] == ' ' && (s[j+10] == '+' || s[j+10] == '-') && class[s[j+14]] == digit {
		return end
	}
	return j + len(":13:55:36")
}

// isoEnd returns the end of a date of numbers, year first, with the time of day and the zone behind it if
// they are there (RFC 3339 and what resembles it): s[i:j] begins with the date. It is 0 if there is none.
func isoEnd(s string, i, j int) int {
	digits := func(at, n int) bool {
		if at+n > len(s) {
			return false
		}
		for k := at; k < at+n; k++ {
			if class[s[k]] != digit {
				return false
			}
		}
		return true
	}
	if j-i < len("2006-01-02") || class[s[i]] != digit {
		return 0
	}
	if c := s[i+4]; c != '-' && c != '/' || s[i+7] != c || !digits(i, 4) || !digits(i+5, 2) || !digits(i+8, 2) || s[i] != '1' && s[i] != '2' {
		return 0
	}
	end := i + len("2006-01-02")
	ends := func(at int) bool { return at >= len(s) || class[s[at]]&(space|strong) != 0 }
	if end+6 > len(s) || s[end] != ' ' && s[end] != 'T' || !digits(end+1, 2) || s[end+3] != ':' || !digits(end+4, 2) {
		if ends(end) {
			return end
		}
		return 0
	}
	end += len(" 15:04")
	if end < len(s) && s[end] == ':' && digits(end+1, 2) {
		end += len(":05")
		if end+1 < len(s) && (s[end] == '.' || s[end] == ',') && class[s[end+1]] == digit {
			for end++; end < len(s) && class[s[end]] == digit; end++ {
			}
		}
	}
	switch {
	case end < len(s) && s[end] == 'Z':
		end++
	case end+3 <= len(s) && (s[end] == '+' || s[end] == '-') && digits(end+1, 2):
		end += 3
		if end < len(s) && s[end] == ':' && digits(end+1, 2) {
			end += 3
		} else if digits(end, 2) {
			end += 2
		}
	}
	if !ends(end) {
		return 0
	}
	return end
}

// targetEnd returns the end of what a request of HTTP asks for, a path with commas, parameters and all, up to
// the next space or quote: behind the name of a method (RFC 9112 §3), or where a path has a query. The path
// begins at i, its first word ends at j. It is 0 if there is none.
func targetEnd(s string, i, j int) int {
	request := false
	if i > 3 && s[i-1] == ' ' {
		k := i - 1
		for k > 0 && class[s[k-1]] == upper {
			k--
		}
		request = isMethod(s[k : i-1])
	}
	if n := strings.IndexByte(s[i:j], '?'); !request && n < 0 {
		return 0
	}
	end := i
	for end < len(s) && class[s[end]]&space == 0 && s[end] != '"' && (request || strings.IndexByte(`'<>()[]{}|`, s[end]) < 0) {
		end++
	}
	for end > i+1 && strings.IndexByte(`.,;:`, s[end-1]) >= 0 {
		end--
	}
	if end == i+1 { // the root alone is as good as a word
		return 0
	}
	return end
}

// isMethod reports whether a word is the name of a method of HTTP (RFC 9110 §9, RFC 5789, RFC 4918).
func isMethod(w string) bool {
	switch w {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH":
		return true
	}
	return false
}

// dateWord returns the next word of s from i, colons being part of it, and its end.
func dateWord(s string, i int) (string, int) {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	j := i
	for j < len(s) && (class[s[j]]&(space|strong) == 0 || s[j] == ':') {
		j++
	}
	return s[i:j], j
}

// isValue reports whether a word of four or five letters is a value wherever
// it stands: truth values, null, and the names every system has (Khan et al.,
// Guidelines for Assessing the Accuracy of Log Message Template
// Identification Techniques, ICSE 2022: BL and US).
func isValue(w string) bool {
	switch w[0] | 0x20 {
	case 't':
		return strings.EqualFold(w, "true")
	case 'f':
		return strings.EqualFold(w, "false")
	case 'n':
		return strings.EqualFold(w, "null")
	case 'r':
		return strings.EqualFold(w, "root")
	case 'a':
		return strings.EqualFold(w, "admin")
	}
	return false
}

// appendWord appends the word s[i:j], which is not plain letters, and returns
// where it went on to read: what begins in the word may end beyond it.
func appendWord(dst []byte, s string, i, j int, seen uint8) ([]byte, int) {
	if end := colonRun(s, i); end > 0 { // IPv6, MAC
		return append(dst, variable), end
	}
	if end := clfEnd(s, i, j); end > 0 {
		return append(dst, variable), end
	}
	if end := isoEnd(s, i, j); end > 0 {
		return append(dst, variable), end
	}
	if s[i] == '/' {
		if end := targetEnd(s, i, j); end > 0 {
			return append(dst, variable), end
		}
	}
	if j < len(s) && s[j] == ':' && j > i {
		rest := s[j:]
		switch {
		case strings.HasPrefix(rest, "://") && seen&digit == 0:
			return appendURL(dst, s, i, j+3)
		case strings.HasPrefix(rest, `:\`) && j == i+1 && seen&(upper|lower) != 0: // C:\…
			end := j + 1
			for end < len(s) && class[s[end]]&space == 0 && strings.IndexByte(`,;"'|<>()[]{}`, s[end]) < 0 {
				end++
			}
			return append(dst, variable), end
		case seen&(digit|fine) != 0 && isPort(rest[1:]) && isHost(s[i:j]):
			return append(dst, variable), j
		}
	}
	if end := hostlistEnd(s, i, j); end > 0 {
		return append(dst, variable), end
	}
	w := s[i:j]
	switch {
	case len(w) > maxWord:
		return append(dst, variable), j
	case seen&(digit|slash|fine) == 0:
		if (len(w) == 4 || len(w) == 5) && isValue(w) || len(w) >= 8 && isHexWord(w) {
			return append(dst, variable), j
		}
		return append(dst, w...), j
	case seen&slash != 0 && isPath(w), len(w) == 36 && isUUID(w), isEmail(w):
		return append(dst, variable), j
	case seen&slash != 0 && isNamedAddress(w):
		return append(dst, variable, '/', variable), j
	}
	return appendParts(dst, w), j
}

// colonRun returns the end of a colon-separated run of hexadecimal groups, an
// IPv6 or hardware address, that begins at i; 0 for none. Two colons and a
// digit are too few to be sure: that is a time of day.
func colonRun(s string, i int) int {
	if isDevice(s[i:]) {
		return i + len("0000:00:1f.2")
	}
	groups, colons, letters, double := 0, 0, false, false
	for k := i; ; {
		n := k
		for n < len(s) && n-k <= 4 && isHex(s[n]) {
			letters = letters || s[n] > '9'
			n++
		}
		if n-k > 4 {
			return 0
		}
		if n > k {
			groups++
		}
		if n < len(s) && s[n] == ':' && n+1 < len(s) && (isHex(s[n+1]) || s[n+1] == ':' && !double) {
			double = double || s[n+1] == ':'
			colons++
			k = n + 1
			continue
		}
		// fe80::1%eth0, ::ffff:192.0.2.1
		if n < len(s) && class[s[n]]&(space|strong) == 0 {
			if s[n] != '%' && s[n] != '.' && s[n] != '/' || colons < 2 {
				return 0
			}
			for n < len(s) && class[s[n]]&(space|strong) == 0 {
				n++
			}
		}
		if double && groups > 0 && colons >= 2 || colons >= 5 || colons >= 3 && letters {
			return n
		}
		return 0
	}
}

// isDevice reports whether s begins with the address of a PCI device: domain, bus, device and function (lspci(8)).
func isDevice(s string) bool {
	const form = "hhhh:hh:hh.d"
	if len(s) < len(form) || len(s) > len(form) && class[s[len(form)]]&(digit|upper|lower) != 0 {
		return false
	}
	for i := range len(form) {
		switch c := form[i]; {
		case c == 'h' && isHex(s[i]), c == 'd' && class[s[i]] == digit, c == s[i]:
		default:
			return false
		}
	}
	return true
}

// hostlistEnd returns the end of a list of names that differ in a number, "node[3,7-12]", as cluster programs write them. The word before
// the bracket is s[i:j]. It is 0 for anything else, such as the name of a program with its number.
func hostlistEnd(s string, i, j int) int {
	if j >= len(s) || s[j] != '[' || class[s[i]]&(upper|lower) == 0 {
		return 0
	}
	several := false
	for k := j + 1; k < len(s); k++ {
		switch c := s[k]; {
		case class[c] == digit:
		case c == ',' || c == '-':
			several = true
		case c == ']' && several:
			k++
			if k < len(s) && class[s[k]]&(space|strong) == 0 {
				return 0
			}
			return k
		default:
			return 0
		}
	}
	return 0
}

// isHexWord reports whether a word of eight letters or more is a number of hexadecimal digits.
func isHexWord(w string) bool {
	for i := range len(w) {
		if !isHex(w[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c-'0' <= 9 || (c|0x20)-'a' <= 5 }

// appendURL keeps the scheme of a URL, s[i:j], and masks the rest.
func appendURL(dst []byte, s string, i, j int) ([]byte, int) {
	dst = append(append(dst, s[i:j]...), variable)
	end, path := j, false
	for end < len(s) && class[s[end]]&space == 0 && strings.IndexByte(`"'<>()[]{}|,;`, s[end]) < 0 {
		path = path || s[end] == '/'
		end++
	}
	for end > j && (s[end-1] == '.' || s[end-1] == ':') {
		end--
	}
	if !path {
		if n := strings.LastIndexByte(s[j:end], ':'); n > 0 && isPort(s[j+n+1:]) {
			return append(dst, ':', variable), end
		}
	}
	return dst, end
}

// isPort reports whether s begins with two to five digits and no more of a word.
func isPort(s string) bool {
	n := 0
	for n < len(s) && n < 6 && class[s[n]] == digit {
		n++
	}
	return n >= 2 && n <= 5 && (n == len(s) || class[s[n]]&(space|strong) != 0 || s[n] == '.')
}

// isHost reports whether the word before a port looks like a host: a digit, a
// hyphen or two dots between letters and digits.
func isHost(w string) bool {
	dots, other := 0, false
	for k := range len(w) {
		switch c := w[k]; {
		case c == '.':
			dots++
		case c == '-' || class[c] == digit:
			other = true
		case class[c]&(upper|lower) == 0 && c != '_':
			return false
		}
	}
	return (other || dots >= 2 || dots == 1 && isDomain(w)) && class[w[0]]&fine == 0
}

// isDomain reports whether name.suffix is a domain rather than a source file, or a
// class and its method: Main.java:17 is no address.
func isDomain(w string) bool {
	name, suffix, _ := strings.Cut(w, ".")
	if len(suffix) < 2 || len(suffix) > 4 || name == "" || strings.ToLower(w) != w {
		return false
	}
	switch suffix {
	case "java", "scala", "kt", "go", "cc", "cpp", "cxx", "hpp", "py", "rb", "js", "ts", "php", "cs", "rs", "pl", "pm", "sh", "lua", "sql",
		"html", "xml", "json", "yml", "yaml", "conf", "cfg", "ini", "log", "txt":
		return false
	}
	return true
}

// isPath reports whether the word is an absolute path: /name, /name/name, \\host\share.
func isPath(w string) bool {
	if len(w) < 2 {
		return false
	}
	if strings.HasPrefix(w, `\\`) {
		return len(w) > 3
	}
	return w[0] == '/' && w[1] != '/'
}

// isNamedAddress reports whether the word is host/address, as Java shows one.
func isNamedAddress(w string) bool {
	name, address, _ := strings.Cut(w, "/")
	if name == "" || strings.Count(address, ".") != 3 {
		return false
	}
	for k := range len(address) {
		if address[k] != '.' && class[address[k]] != digit {
			return false
		}
	}
	return true
}

// isUUID reports whether w begins with a UUID (RFC 9562 §4) that is no part of a longer word of letters.
func isUUID(w string) bool {
	if len(w) < 36 || len(w) > 36 && class[w[36]]&(digit|upper|lower) != 0 || w[8] != '-' || w[13] != '-' || w[18] != '-' || w[23] != '-' {
		return false
	}
	for k := range 36 {
		if !isHex(w[k]) && w[k] != '-' {
			return false
		}
	}
	return true
}

func isEmail(w string) bool {
	at := strings.IndexByte(w, '@')
	return at > 0 && strings.IndexByte(w[at:], '.') > 1 && strings.IndexByte(w, '$') < 0 && class[w[len(w)-1]]&fine == 0
}

// appendParts appends a word part by part, each either kept or variable.
// Variables that touch, or that a dot or hyphen joins, are one.
func appendParts(dst []byte, w string) []byte {
	start := len(dst)
	i := 0
	if len(w) > 1 && (w[0] == '-' || w[0] == '+') && class[w[1]] == digit {
		i = 1 // the sign of a number
	}
	numbered, kept := 0, 0 // parts that hold digits; those of them that are kept
	for i < len(w) {
		c := w[i]
		if class[c]&(fine|slash) != 0 {
			dst = append(dst, c)
			i++
			if c != '-' {
				numbered, kept = 0, 0
			}
			continue
		}
		j := i
		for j < len(w) && (class[w[j]]&(fine|slash) == 0 || w[j] == '-' && j > i && w[j-1] == '_') { // blk_-17
			j++
		}
		j = scriptEnd(w[i:j]) + i
		whole := j-i == 8 && isUUID(w[i:])
		if whole {
			j = i + 36
		}
		if k := namedEnd(w[i:j]); k > 0 {
			dst = append(dst, w[i:i+k]...)
			dst = append(dst, variable)
			numbered++
		} else if whole || isVariablePart(w[i:j]) {
			numbered++
			switch n := len(dst); {
			case n-1 > start && dst[n-2] == variable && strings.IndexByte(".-+@", dst[n-1]) >= 0:
				dst = dst[:n-1] // 2.0.1, 1.5e-7, 10-20
			default:
				dst = append(dst, variable)
			}
		} else {
			dst = append(dst, w[i:j]...)
			if j-i <= 4 && strings.ContainsAny(w[i:j], "0123456789") {
				numbered++
				kept++
			}
		}
		i = j
	}
	if kept > 0 && numbered > 1 { // R02-M1-N0: an identifier
		return append(dst[:start], variable)
	}
	return dst
}

// scriptEnd returns where digits and letters that are not ASCII meet in p: scripts that put no spaces
// between words put none around numbers. It is the length of p if nowhere.
func scriptEnd(p string) int {
	for i := 1; i < len(p); i++ {
		a, b := p[i-1], p[i]
		if a < 0x80 == (b < 0x80) {
			continue
		}
		if class[a] == digit && (strings.HasPrefix(p[i:], "µs") || strings.HasPrefix(p[i:], "μs")) {
			continue
		}
		if class[a] == digit || class[b] == digit {
			return i
		}
	}
	return len(p)
}

// namedEnd returns the end of a long word of letters with nothing but digits behind it, such as one that a program forgot to
// put a space behind. It is 0 for anything else: of "ssh2" or "sda1" the digits are part.
func namedEnd(p string) int {
	k := 0
	for k < len(p) && class[p[k]]&(upper|lower) != 0 {
		k++
	}
	if k < 8 || k == len(p) {
		return 0
	}
	for i := k; i < len(p); i++ {
		if class[p[i]] != digit {
			return 0
		}
	}
	for i := range k {
		if !isHex(p[i]) {
			return k
		}
	}
	return 0
}

// isVariablePart decides on a run without separators.
func isVariablePart(p string) bool {
	digits, hex, turns := 0, 0, 0
	underscored := false
	for k := range len(p) {
		if class[p[k]] == digit {
			digits++
			if k > 0 && class[p[k-1]] != digit {
				turns++
				underscored = underscored || p[k-1] == '_'
			}
		}
		if isHex(p[k]) {
			hex++
		}
	}
	if digits == 0 {
		return (len(p) == 4 || len(p) == 5) && isValue(p)
	}
	return class[p[0]] == digit || // 15, 10ms, 0x7f, 4ec2
		(p[0]|0x20) == 'v' && class[p[1]] == digit || // v2
		digits >= 4 || underscored || turns >= 2 ||
		hex == len(p) && len(p) >= 8
}
