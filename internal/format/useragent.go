package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// agent is what a User-Agent header says of itself. It is a claim of the
// client's, no more. Names are those of the ua-parser project, which Elastic
// uses as well, so that "Chrome Mobile" is found under the same name in both.
type agent struct {
	name, version string
	os, osVersion string
	osFull        string // os and version in one
	device        string // "Spider" for what crawls, "Other" for what does not say
}

// agentCache keeps the agents met last: a log names few, again and again. The
// zero cache is ready.
type agentCache struct {
	slots []agentSlot
}

type agentSlot struct {
	text string
	agent
}

const agentSlots = 128

// add adds the fields of the User-Agent header text, "-" or "" where the
// client sent none.
func (c *agentCache) add(text string, b *event.Batch) {
	if text != "-" {
		b.Add("user_agent.original", text)
	}
	a := c.lookup(text)
	b.Add("user_agent.name", a.name)
	b.Add("user_agent.version", a.version)
	b.Add("user_agent.os.name", a.os)
	b.Add("user_agent.os.version", a.osVersion)
	b.Add("user_agent.os.full", a.osFull)
	b.Add("user_agent.device.name", a.device)
}

func (c *agentCache) lookup(text string) *agent {
	if c.slots == nil {
		c.slots = make([]agentSlot, agentSlots)
	}
	h := uint32(len(text))
	for i := len(text) - 1; i >= 0 && i >= len(text)-32; i-- {
		h = h*31 + uint32(text[i])
	}
	for i := 12; i < len(text) && i < 48; i += 3 {
		h = h*31 + uint32(text[i])
	}
	slot := &c.slots[(h^h>>15)%agentSlots]
	if slot.name == "" || slot.text != text {
		*slot = agentSlot{text: text, agent: parseAgent(text)}
	}
	return &slot.agent
}

// parseAgent reads a User-Agent header. It tells the common browsers, crawlers,
// libraries and attack tools; the rest is "Other".
func parseAgent(s string) agent {
	a := agent{name: "Other", device: "Other"}
	if len(s) > 1024 {
		s = s[:1024]
	}
	a.readOS(s)
	switch {
	case a.readTool(s):
	case a.readCrawler(s):
	default:
		a.readBrowser(s)
	}
	if a.osVersion != "" && a.osFull == "" {
		a.osFull = a.os + " " + a.osVersion
	}
	return a
}

// tools name themselves at the start or, where it says so, anywhere.
var tools = []struct {
	token, name string
	anywhere    bool
}{
	{"curl/", "curl", false}, {"Wget/", "Wget", false}, {"python-requests/", "Python Requests", false},
	{"Python-urllib/", "Python-urllib", false}, {"aiohttp/", "aiohttp", true}, {"python-httpx/", "python-httpx", false}, {"Go-http-client/", "Go-http-client", false},
	{"okhttp/", "okhttp", false}, {"Apache-HttpClient/", "Apache-HttpClient", false}, {"Java/", "Java", false}, {"axios/", "axios", false},
	{"node-fetch/", "node-fetch", false}, {"libwww-perl/", "libwww-perl", false}, {"Ruby", "Ruby", false}, {"PostmanRuntime/", "PostmanRuntime", false},
	{"GuzzleHttp/", "GuzzleHttp", false}, {"kube-probe/", "kube-probe", false}, {"ELB-HealthChecker/", "ELB-HealthChecker", false},
	{"Prometheus/", "Prometheus", false}, {"git/", "git", false}, {"WindowsPowerShell/", "PowerShell", true}, {"PowerShell/", "PowerShell", true},
	{"Microsoft-CryptoAPI/", "Microsoft-CryptoAPI", false}, {"Microsoft BITS/", "Microsoft BITS", false}, {"CertUtil", "CertUtil", false},
	{"Debian APT-HTTP/", "Debian APT-HTTP", false}, {"sqlmap/", "sqlmap", false}, {"Nikto/", "Nikto", true}, {"Nmap Scripting Engine", "Nmap Scripting Engine", true}, {"masscan/", "masscan", false},
	{"zgrab/", "zgrab", true}, {"gobuster/", "gobuster", false}, {"Fuzz Faster U Fool", "ffuf", false}, {"feroxbuster/", "feroxbuster", false},
	{"DirBuster", "DirBuster", false}, {"WPScan", "WPScan", false}, {"Nuclei", "Nuclei", true}, {"WhatWeb/", "WhatWeb", false}, {"w3af", "w3af", true},
	{"Hydra", "Hydra", true}, {"OpenVAS", "OpenVAS", true}, {"Nessus", "Nessus", true}, {"Acunetix", "Acunetix", true}, {"Jorgee", "Jorgee", true},
	{"Wfuzz/", "Wfuzz", false}, {"httpx - ", "httpx", false}, {"Havij", "Havij", true}, {"Arachni/", "Arachni", true}, {"commix/", "commix", false},
	{"PhantomJS/", "PhantomJS", true},
	{"aws-cli/", "aws-cli", true}, {"aws-sdk-java/", "aws-sdk-java", true}, {"aws-sdk-go/", "aws-sdk-go", true}, {"aws-sdk-nodejs/", "aws-sdk-nodejs", true}, {"aws-sdk-ruby3/", "aws-sdk-ruby3", true},
	{"aws-sdk-cpp/", "aws-sdk-cpp", true}, {"aws-sdk-dotnet-core/", "aws-sdk-dotnet-core", true}, {"Boto3/", "Boto3", true}, {"Boto/", "Boto", true}, {"s3fs/", "s3fs", true}, {"Botocore/", "Botocore", true}, {"botocore/", "Botocore", true},
}

func (a *agent) readTool(s string) bool {
	for _, t := range tools {
		i := 0
		if t.anywhere {
			i = strings.Index(s, t.token)
		} else if !strings.HasPrefix(s, t.token) {
			i = -1
		}
		if i < 0 {
			continue
		}
		a.name = t.name
		if rest := s[i+len(t.token):]; strings.HasSuffix(t.token, "/") {
			a.version = version(rest)
		} else if rest != "" && (rest[0] == '/' || rest[0] == ' ') {
			a.version = version(strings.TrimLeft(rest, "/ v"))
		}
		return true
	}
	return false
}

// crawlers are words that what crawls has in its name.
var crawlers = []string{"bot", "Bot", "spider", "Spider", "crawler", "Crawler", "Slurp", "facebookexternalhit", "censys", "Censys", "InternetMeasurement", "Expanse"}

func (a *agent) readCrawler(s string) bool {
	at := -1
	for _, w := range crawlers {
		if i := strings.Index(s, w); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at < 0 || strings.HasPrefix(s[at:], "bottle") || strings.HasPrefix(s[at:], "botocore") {
		return false
	}
	// The name is the word around it, unless that stands in a URL.
	start, end := at, at
	for start > 0 && isNameByte(s[start-1]) {
		start--
	}
	for end < len(s) && isNameByte(s[end]) {
		end++
	}
	a.device = "Spider"
	name := s[start:end]
	if strings.ContainsAny(name, ".@") || start > 0 && s[start-1] == '/' {
		return true
	}
	a.name = name
	if end < len(s) && s[end] == '/' {
		a.version = version(s[end+1:])
	} else if end+1 < len(s) && s[end] == ' ' && isDigit(s[end+1]) {
		a.version = version(s[end+1:])
	}
	return true
}

func isNameByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '-' || c == '_' || c == '.' || c == '@'
}

// browsers are told by the first of these tokens that the header holds.
var browsers = []struct{ token, name, mobile string }{
	{"Edg/", "Edge", ""}, {"Edge/", "Edge", "Edge Mobile"}, {"EdgA/", "Edge Mobile", ""}, {"EdgiOS/", "Edge Mobile", ""},
	{"OPR/", "Opera", "Opera Mobile"}, {"SamsungBrowser/", "Samsung Internet", ""}, {"YaBrowser/", "Yandex Browser", ""}, {"Vivaldi/", "Vivaldi", ""},
	{"UCBrowser/", "UC Browser", ""}, {"Silk/", "Amazon Silk", ""}, {"HeadlessChrome/", "HeadlessChrome", ""}, {"Electron/", "Electron", ""},
	{"CriOS/", "Chrome Mobile iOS", ""}, {"FxiOS/", "Firefox iOS", ""}, {"SeaMonkey/", "SeaMonkey", ""}, {"Thunderbird/", "Thunderbird", ""},
	{"Firefox/", "Firefox", "Firefox Mobile"}, {"Chromium/", "Chromium", ""}, {"Chrome/", "Chrome", "Chrome Mobile"},
}

func (a *agent) readBrowser(s string) {
	mobile := strings.Contains(s, "Mobile")
	for _, w := range browsers {
		i := strings.Index(s, w.token)
		if i < 0 {
			continue
		}
		a.name, a.version = w.name, version(s[i+len(w.token):])
		if mobile && w.mobile != "" {
			a.name = w.mobile
		}
		rest := s[i+len(w.token)+len(a.version):]
		switch {
		case w.name == "HeadlessChrome":
			a.version = threeParts(a.version)
		case w.name == "Firefox" && len(rest) > 1 && rest[0] == 'a' && isDigit(rest[1]):
			a.name, a.version = "Firefox Alpha", a.version+"."+rest[:1+len(version(rest[1:]))]
		case w.name == "Firefox" && len(rest) > 1 && rest[0] == 'b' && isDigit(rest[1]):
			a.name, a.version = "Firefox Beta", a.version+"."+rest[:1+len(version(rest[1:]))]
		case w.token == "Chrome/" && strings.Contains(s, "; wv)"):
			a.name = "Chrome Mobile WebView"
		}
		return
	}
	switch {
	case strings.Contains(s, "MSIE "):
		a.name, a.version = "IE", version(after(s, "MSIE "))
		switch version(after(s, "Trident/")) { // says its own version, whatever it is compatible with
		case "7.0":
			a.version = "11.0"
		case "6.0":
			a.version = "10.0"
		case "5.0":
			a.version = "9.0"
		case "4.0":
			a.version = "8.0"
		}
		if mobile || strings.Contains(s, "IEMobile") {
			a.name = "IE Mobile"
		}
	case strings.Contains(s, "Trident/") && strings.Contains(s, "rv:"):
		a.name, a.version = "IE", version(after(s, "rv:"))
	case strings.HasPrefix(s, "Opera/"):
		a.name, a.version = "Opera", version(s[6:])
		if v := version(after(s, "Version/")); v != "" {
			a.version = v
		}
	case strings.Contains(s, "Version/") && strings.Contains(s, "Safari/"):
		a.name, a.version = "Safari", version(after(s, "Version/"))
		if mobile {
			a.name = "Mobile Safari"
		}
		if a.os == "Android" {
			a.name = "Android"
		}
	case a.os == "iOS" && strings.Contains(s, "AppleWebKit/"):
		a.name = "Mobile Safari UI/WKWebView"
		a.version = a.osVersion
	}
}

func (a *agent) readOS(s string) {
	switch {
	case strings.Contains(s, "Windows Phone"):
		a.os, a.osVersion = "Windows Phone", version(strings.TrimPrefix(after(s, "Windows Phone "), "OS "))
	case strings.Contains(s, "Windows"):
		a.os = "Windows"
		a.osVersion = windowsVersion(after(s, "Windows "))
	case strings.Contains(s, "iPhone") || strings.Contains(s, "iPad") || strings.Contains(s, "iPod"):
		a.os = "iOS"
		a.osVersion = version(after(s, " OS "))
		for _, d := range [...]string{"iPad", "iPod", "iPhone"} {
			if strings.Contains(s, d) {
				a.device = d
				break
			}
		}
	case strings.Contains(s, "Mac OS X") || strings.Contains(s, "Macintosh"):
		a.os, a.device = "Mac OS X", "Mac"
		a.osVersion = version(after(s, "Mac OS X "))
	case strings.Contains(s, "Android"):
		a.os = "Android"
		rest := after(s, "Android")
		a.osVersion = version(strings.TrimLeft(rest, " -/"))
		a.device = androidDevice(rest)
	case strings.Contains(s, "CrOS "):
		a.os = "Chrome OS"
		if _, v, ok := strings.Cut(after(s, "CrOS "), " "); ok {
			a.osVersion = version(v)
		}
	case strings.Contains(s, "Ubuntu"):
		a.os, a.osVersion = "Ubuntu", version(strings.TrimPrefix(after(s, "Ubuntu"), "/"))
	case strings.Contains(s, "Debian"):
		a.os = "Debian"
	case strings.Contains(s, "Fedora"):
		a.os, a.osVersion = "Fedora", version(strings.TrimPrefix(after(s, "Fedora"), "/"))
	case strings.Contains(s, "FreeBSD"):
		a.os = "FreeBSD"
	case strings.Contains(s, "OpenBSD"):
		a.os = "OpenBSD"
	case strings.Contains(s, "Linux") || strings.Contains(s, "linux"):
		a.os = "Linux"
		if rest := after(s, "Linux"); rest != "" && (rest[0] == '/' || rest[0] == ' ') { // the kernel's, as SDKs write it
			a.osVersion = threeParts(version(rest[1:]))
		}
	}
}

// androidDevice is the model in "Android 6.0; ALE-L21 Build/…".
func androidDevice(rest string) string {
	end := strings.IndexByte(rest, ')')
	if end < 0 {
		return "Other"
	}
	model := ""
	for part := range strings.SplitSeq(rest[:end], ";") {
		part = strings.TrimSpace(part)
		if i := strings.Index(part, " Build/"); i > 0 {
			return part[:i]
		}
		if strings.HasPrefix(part, "rv:") || part == "wv" || part == "Mobile" || part == "Tablet" || len(part) == 5 && part[2] == '-' {
			continue
		}
		model = part
	}
	if model == "" || isDigit(model[0]) && strings.Trim(model, "0123456789.") == "" {
		return "Generic Smartphone"
	}
	return model
}

var windowsNames = map[string]string{
	"10.0": "10", "6.4": "10", "6.3": "8.1", "6.2": "8", "6.1": "7", "6.0": "Vista", "5.2": "XP", "5.1": "XP", "5.01": "2000", "5.0": "2000", "4.0": "NT 4.0",
}

func windowsVersion(rest string) string {
	if nt, ok := strings.CutPrefix(rest, "NT "); ok {
		v := version(nt)
		if n, ok := windowsNames[v]; ok {
			return n
		}
		return v
	}
	for _, w := range [...]string{"XP", "95", "98", "ME", "2000"} {
		if strings.HasPrefix(rest, w) {
			return w
		}
	}
	return ""
}

func after(s, mark string) string {
	if i := strings.Index(s, mark); i >= 0 {
		return s[i+len(mark):]
	}
	return ""
}

// threeParts is a version without what follows its third part.
func threeParts(v string) string {
	dots := 0
	for i := range len(v) {
		if v[i] == '.' {
			if dots++; dots == 3 {
				return v[:i]
			}
		}
	}
	return v
}

// version is the dotted number at the start of s, of four parts at most;
// underscores, as Apple writes them, count as dots.
func version(s string) string {
	i, dots := 0, 0
	for i < len(s) && i < 40 && (isDigit(s[i]) || (s[i] == '.' || s[i] == '_') && dots < 3 && i+1 < len(s) && isDigit(s[i+1]) && i > 0) {
		if !isDigit(s[i]) {
			dots++
		}
		i++
	}
	return strings.ReplaceAll(s[:i], "_", ".")
}
