package format

import (
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/timestamp"
)

var accessLines = []string{
	`192.0.2.17 - - [05/May/2024:06:07:08 +0000] "GET /index.html HTTP/1.1" 200 10432 "-" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36"`,
	`198.51.100.4 - - [05/May/2024:06:07:08 +0000] "GET /static/js/app.8f3a.js?v=12 HTTP/1.1" 200 98220 "https://www.example.com/index.html" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"`,
	`203.0.113.200 - - [05/May/2024:06:07:09 +0000] "POST /api/v1/session HTTP/1.1" 401 153 "https://www.example.com/login" "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0"`,
	`192.0.2.99 - alice [05/May/2024:06:07:09 +0000] "GET /search?q=blue%20chairs&page=3 HTTP/1.1" 200 15331 "https://www.example.com/" "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36"`,
}

func TestTheServerIsToldByItsHabitsAndTheNameOnlyBreaksATie(t *testing.T) {
	const combined = `192.0.2.1 - - [05/May/2024:06:07:08 +0000] "GET / HTTP/1.1" 200 10 "-" "curl/8.5.0"` + "\n"
	for _, c := range []struct{ name, text, want string }{
		{"access.log", combined, "apache.access"},
		{"nginx-access.log", combined, "nginx.access"},
		{"access.log", combined + `192.0.2.1 - - [05/May/2024:06:07:08 +0000] "" 400 0 "-" "-"` + "\n", "nginx.access"},
		{"access.log", combined + strings.Replace(combined, "200 10", "304 0", 1), "nginx.access"},
		{"access.log", strings.Replace(combined, `curl/8.5.0"`, `curl/8.5.0" "-"`, 1), "nginx.access"},
		{"nginx.log", "www.example.com:80 " + combined + "www.example.com:80 " + combined, "apache.access"},
		{"error.log", "[Sun May 05 06:07:09 2013] [error] [client 192.0.2.60] x\n", "apache.error"},
		{"access.log", "2024/05/05 06:07:08 [notice] 1#1: start\n", "nginx.error"},
	} {
		got, _ := Recognise(NewSample(c.name, []byte(c.text), true))
		if got == nil || got.Name != c.want {
			t.Errorf("%s %q is %v, want %s", c.name, c.text, got, c.want)
		}
	}
}

func TestUserAgentsAreNamed(t *testing.T) {
	for _, c := range []struct{ ua, name, version, os, device string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.6422.60 Safari/537.36 Edg/125.0.2535.51", "Edge", "125.0.2535.51", "Windows 10", "Other"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", "Safari", "17.4", "Mac OS X 10.15.7", "Mac"},
		{"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1", "Chrome Mobile iOS", "124.0.6367.88", "iOS 16.6", "iPad"},
		{"Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36", "Samsung Internet", "24.0", "Android 13", "SM-A536B"},
		{"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "IE", "11.0", "Windows 7", "Other"},
		{"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "IE", "6.0", "Windows XP", "Other"},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "2.1", "", "Spider"},
		{"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bingbot", "2.0", "", "Spider"},
		{"Mozilla/5.0 zgrab/0.x", "zgrab", "0", "", "Other"},
		{"Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "Nmap Scripting Engine", "", "", "Other"},
		{"Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.4291", "PowerShell", "5.1.19041.4291", "Windows", "Other"},
		{"Fuzz Faster U Fool v2.1.0-dev", "ffuf", "2.1.0", "", "Other"},
		{"", "Other", "", "", "Other"},
		{"-", "Other", "", "", "Other"},
	} {
		a := parseAgent(c.ua)
		full := a.osFull
		if full == "" {
			full = a.os
		}
		if a.name != c.name || a.version != c.version || full != c.os || a.device != c.device {
			t.Errorf("%s\n is %q %q on %q %q", c.ua, a.name, a.version, full, a.device)
		}
	}
}

func newTestClock() *timestamp.Clock { return timestamp.NewClock(nil, 0) }
