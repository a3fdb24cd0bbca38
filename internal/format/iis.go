package format

import "strings"

// Internet Information Services: its site logs, and HTTP.sys's error log with what
// never reached a site. https://learn.microsoft.com/en-us/windows/win32/http/w3c-logging
// and https://learn.microsoft.com/en-us/troubleshoot/developer/webapps/aspnet/site-behavior-performance/error-logging-http-apis.
// Files that were cut lack the "#Fields:" line; the usual columns are then told from the values.
var (
	_ = register(Format{
		Name:  "iis.access",
		Title: "IIS access log (W3C)",
		Group: "web",
		Recognise: func(s *Sample) int {
			return recogniseIIS(s, &iisAccess, "c-ip", "cs-method", "sc-status", "cs-uri-stem")
		},
		Header: isW3CDirective,
		Lines:  func(p *Params) LineDecoder { return newW3C(p, &iisAccess).decode },
	})
	_ = register(Format{
		Name:      "iis.error",
		Title:     "HTTP.sys error log (HTTPERR)",
		Group:     "web",
		Recognise: func(s *Sample) int { return recogniseIIS(s, &iisError, "s-reason", "c-ip") },
		Header:    isW3CDirective,
		Lines:     func(p *Params) LineDecoder { return newW3C(p, &iisError).decode },
	})
)

var iisAccess = w3cProduct{
	dataset: "iis.access",
	prefix:  "iis.access.",
	columns: map[string]w3cColumn{
		"s-sitename": {w3cText, "iis.access.site_name"}, "s-computername": {w3cComputer, "iis.access.server_name"}, "cs(Cookie)": {w3cText, "iis.access.cookie"},
		"sc-substatus": {w3cNumber, "iis.access.sub_status"}, "sc-win32-status": {w3cNumber, "iis.access.win32_status"},
	},
	guess: guessIISAccess,
}

var iisError = w3cProduct{
	dataset: "iis.error",
	prefix:  "iis.error.",
	columns: map[string]w3cColumn{
		"s-reason": {w3cText, "iis.error.reason_phrase"}, "s-queuename": {w3cText, "iis.error.queue_name"}, "s-siteid": {w3cText, "iis.error.site_id"},
		"cs-uri": {w3cPath, ""},
	},
	guess: guessIISError,
}

// recogniseIIS is sure where the header says so, less so by the shape of lines.
func recogniseIIS(s *Sample, product *w3cProduct, columns ...string) int {
	if header := w3cColumns(s.Lines); header != "" {
		for _, l := range s.Lines[:min(len(s.Lines), 16)] {
			if software, ok := strings.CutPrefix(l, "#Software:"); ok && !containsFold(software, "internet information") && !containsFold(software, "iis") && !containsFold(software, "http api") {
				return 0
			}
		}
		header = " " + header + " "
		if strings.Contains(header, " x-edge-location ") { // CloudFront borrows the names of IIS
			return 0
		}
		n := 0
		for _, c := range columns {
			if strings.Contains(header, " "+c+" ") {
				n++
			}
		}
		switch {
		case n == len(columns):
			return 95
		case n > 1 && n == len(columns)-1:
			return 75
		}
		return 0
	}
	var words []string
	return s.Share(func(l string) bool {
		if len(l) < 30 || !isISODate(l) || l[10] != ' ' {
			return false
		}
		words = words[:0]
		for w := range strings.SplitSeq(l, " ") {
			words = append(words, w)
		}
		return product.guess(words) != nil
	}) * 85 / 100
}

func isISODate(l string) bool {
	return len(l) > 18 && isDigits(l[:4]) && l[4] == '-' && isDigits(l[5:7]) && l[7] == '-' && isDigits(l[8:10]) && l[13] == ':' && l[16] == ':'
}

// guessIISAccess tells the columns of a line without a header: the method, the
// status with its two companions and the client's address hold the rest in place.
// It is nil where the line is none of IIS.
func guessIISAccess(words []string) []string {
	method := -1
	for i := 2; i < min(len(words), 6); i++ {
		if w := words[i]; isMethod(w) && strings.ToUpper(w) == w && i+6 < len(words) && !isHostPart(w, words[i+1]) {
			method = i
			break
		}
	}
	if method < 0 {
		return nil
	}
	names := append(make([]string, 0, 24), "date", "time")
	switch before := words[2:method]; len(before) {
	case 3:
		names = append(names, "s-sitename", "s-computername", "s-ip")
	case 2:
		if strings.HasPrefix(before[0], "W3SVC") {
			names = append(names, "s-sitename", "s-ip")
		} else {
			names = append(names, "s-computername", "s-ip")
		}
	case 1:
		if isIP(before[0]) {
			names = append(names, "s-ip")
		} else {
			names = append(names, "s-sitename")
		}
	}
	client := method + 5
	if port := words[method+3]; !isDigits(port) && port != "-" || !isIP(words[client]) && words[client] != "-" {
		return nil
	}
	names = append(names, "cs-method", "cs-uri-stem", "cs-uri-query", "s-port", "cs-username", "c-ip")
	status := 0
	for i := client + 1; i+2 < len(words); i++ {
		if w := words[i]; len(w) == 3 && isDigits(w) && isDigits(words[i+1]) && isDigits(words[i+2]) {
			status = i
			break
		}
	}
	if status == 0 {
		return nil
	}
	middle := words[client+1 : status]
	if len(middle) > 0 && strings.HasPrefix(middle[0], "HTTP/") {
		names, middle = append(names, "cs-version"), middle[1:]
	}
	switch len(middle) {
	case 0:
	case 1:
		names = append(names, "cs(User-Agent)")
	case 2:
		names = append(names, "cs(User-Agent)", "cs(Referer)")
	case 3:
		names = append(names, "cs(User-Agent)", "cs(Cookie)", "cs(Referer)")
	case 4:
		names = append(names, "cs(User-Agent)", "cs(Cookie)", "cs(Referer)", "cs-host")
	default:
		return nil
	}
	names = append(names, "sc-status", "sc-substatus", "sc-win32-status")
	rest := words[status+3:]
	if len(rest) >= 3 && isDigits(rest[0]) && isDigits(rest[1]) && isDigits(rest[2]) {
		names, rest = append(names, "sc-bytes", "cs-bytes", "time-taken"), rest[3:]
	} else if len(rest) >= 1 && isDigits(rest[0]) {
		names, rest = append(names, "time-taken"), rest[1:]
	}
	if len(rest) > 0 {
		names, rest = append(names, "x-forwarded-for"), rest[1:]
	}
	if len(rest) > 0 && isDigits(rest[0]) {
		names, rest = append(names, "c-port"), rest[1:]
	}
	if len(rest) > 0 {
		return nil
	}
	return names
}

// isHostPart reports whether w is no method, since no target follows it.
func isHostPart(w, next string) bool {
	return strings.IndexByte(w, '-') >= 0 && (isIP(next) || isMethod(next))
}

// guessIISError: "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri
// sc-status s-siteid s-reason s-queuename"; later versions put in a stream id.
func guessIISError(words []string) []string {
	if len(words) < 12 || len(words) > 15 || !isIP(words[2]) || !isDigits(words[3]) || !isIP(words[4]) || !isDigits(words[5]) {
		return nil
	}
	if v := words[6]; v != "-" && !strings.HasPrefix(v, "HTTP/") {
		return nil
	}
	names := []string{"date", "time", "c-ip", "c-port", "s-ip", "s-port", "cs-version", "cs-method", "cs-uri"}
	switch n := len(words); n {
	case 12:
		names = append(names, "sc-status", "s-siteid", "s-reason")
	case 13:
		names = append(names, "sc-status", "s-siteid", "s-reason", "s-queuename")
	default:
		return nil
	}
	return names
}
