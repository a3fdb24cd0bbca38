package simulate

import (
	"fmt"
	"strings"
)

var userAgents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
	"Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Mobile Safari/537.36",
}

// webPages of the shop, PHP behind Apache; %d is a product or page.
var webPages = strings.Fields("/ /index.php /shop/ /shop/list.php?cat=%d /shop/product.php?id=%d /shop/product.php?id=%d /shop/search.php?q=lamp+%d /about.html /contact.php /blog/ /blog/post.php?id=%d /shop/cart.php")
var webAssets = strings.Fields("/css/site.css /js/app.js /img/logo.svg /favicon.ico /img/p%d.jpg /fonts/inter.woff2")

// liveWeb is the web site's public.
func (w *world) liveWeb() {
	w.spawn("visitors", w.now, func(a *actor) {
		for {
			a.busy(50 * second)
			from := w.visitor(a)
			w.spawn(fmt.Sprint("visitor ", w.order), w.now, func(v *actor) { w.visit(v, from) })
		}
	})
	crawlers := []struct{ from, agent string }{
		{w.stranger(), "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
		{w.stranger(), "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"},
	}
	for _, c := range crawlers {
		w.spawn("crawler "+c.agent, w.now, func(a *actor) {
			for {
				a.wait(a.rng.gap(6 * minute))
				b := w.browse(a, c.from, c.agent, a.rng.chance(600))
				for range 1 + a.rng.below(4) {
					path := pick(&a.rng, webPages)
					if a.rng.chance(80) {
						path = "/robots.txt"
					}
					if a.rng.chance(60) {
						b.request("GET", fmt.Sprintf("/old/page%d.html", a.rng.below(500)), 404, 437, "text/html")
						continue
					}
					b.page(path)
					a.wait(a.rng.gap(4 * second))
				}
				b.close()
			}
		})
	}
	// Scanners of the internet ask for what they hope is there.
	w.spawn("web noise", w.now, func(a *actor) {
		a.mark = mark{kind: background}
		for {
			a.wait(a.rng.gap(40 * minute))
			agent := pick(&a.rng, []string{"Mozilla/5.0 zgrab/0.x", "Go-http-client/1.1", "python-requests/2.32.3", "", "curl/8.5.0", "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)"})
			b := w.browse(a, pick(&a.rng, w.bots), agent, a.rng.chance(300))
			for range 1 + a.rng.below(5) {
				path := pick(&a.rng, []string{"/.env", "/.git/config", "/wp-login.php", "/phpmyadmin/", "/admin/", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/", "/actuator/health", "/boaform/admin/formLogin", "/cgi-bin/luci/", "/xmlrpc.php"})
				switch {
				case path == "/":
					b.request("GET", path, 200, 10918, "text/html")
				case strings.HasSuffix(path, ".php"):
					b.request("GET", path, 404, 437, "text/html")
					w.web.complain(a, "php:error", b.from, b.flow.sport, "script '/var/www/html"+path+"' not found or unable to stat")
				case strings.HasPrefix(path, "/.git"):
					b.request("GET", path, 403, 440, "text/html")
					w.web.complain(a, "authz_core:error", b.from, b.flow.sport, "AH01630: client denied by server configuration: /var/www/html"+path)
				default:
					b.request("GET", path, 404, 437, "text/html")
				}
				a.pause(200*msec, 3*second)
			}
			b.close()
		}
	})
	// The company's own vulnerability scanner, every night from inside.
	w.spawn("vulnerability scanner", w.now+3*hour, func(a *actor) {
		for {
			a.mark = mark{kind: lookalike}
			w.scanOwnSite(a)
			a.mark = mark{}
			a.until(w.midnight(w.today()+1) + 3*hour + a.between(0, 10*minute))
		}
	})
	w.spawn("monitoring", w.now, func(a *actor) {
		for {
			b := w.browse(a, "192.0.2.123", "check_http/v2.3.3 (monitoring-plugins 2.3.3)", false)
			b.request("GET", "/", 200, 10918, "text/html")
			b.close()
			a.wait(minute)
		}
	})
	w.spawn("apache", w.now, func(a *actor) {
		for {
			a.wait(4*second + a.between(0, second))
			w.web.complain(a, "mpm_prefork:notice", "", 0, "AH00171: Graceful restart requested, doing restart")
			a.pause(20*msec, 90*msec)
			w.web.complain(a, "mpm_prefork:notice", "", 0, "AH00163: Apache/2.4.62 (Debian) OpenSSL/3.0.15 configured -- resuming normal operations")
			w.web.complain(a, "core:notice", "", 0, "AH00094: Command line: '/usr/sbin/apache2'")
			a.until(w.midnight(w.today() + 1))
		}
	})
}

// visitor is someone's address: many come over IPv6.
func (w *world) visitor(a *actor) string {
	if a.rng.chance(550) {
		return fmt.Sprintf("2001:db8:%x:%x::%x", 0x1000+a.rng.below(0x400), a.rng.below(16), 1+a.rng.below(200))
	}
	return pick(&a.rng, w.visitors)
}

// visit is one person's look at the shop.
func (w *world) visit(a *actor, from string) {
	b := w.browse(a, from, pick(&a.rng, userAgents), a.rng.chance(700))
	for range 1 + a.rng.below(7) {
		b.page(pick(&a.rng, webPages))
		for range a.rng.below(6) {
			a.pause(5*msec, 150*msec)
			b.asset()
		}
		a.wait(a.rng.gap(25*second) + second)
	}
	if a.rng.chance(60) {
		b.request("POST", "/shop/login.php", 302, 0, "text/html")
		a.pause(100*msec, 400*msec)
		b.page("/shop/account.php")
	}
	b.close()
}

// page asks for a page as people do.
func (b *browser) page(path string) {
	id := int64(1 + b.a.rng.below(300))
	if strings.Contains(path, "%d") {
		path = fmt.Sprintf(path, id)
	}
	size := 4000 + int64(nidsMix(uint64(len(path))<<32^uint64(id))%24000)
	switch {
	case path == "/" || path == "/index.php":
		size = 10918
	case path == "/robots.txt":
		b.request("GET", path, 200, 68, "text/plain")
		return
	}
	b.request("GET", path, 200, size, "text/html")
	b.last = path
}

func (b *browser) asset() {
	path := pick(&b.a.rng, webAssets)
	mime := "image/jpeg"
	switch {
	case strings.HasSuffix(path, "css"):
		mime = "text/css"
	case strings.HasSuffix(path, "js"):
		mime = "application/javascript"
	case strings.HasSuffix(path, "woff2"):
		mime = "font/woff2"
	case strings.HasSuffix(path, "svg"):
		mime = "image/svg+xml"
	}
	if strings.Contains(path, "%d") {
		path = fmt.Sprintf(path, 1+b.a.rng.below(300))
	}
	size := 800 + int64(nidsMix(uint64(len(path)))%60000)
	if b.a.rng.chance(350) {
		b.request("GET", path, 304, 0, "")
		return
	}
	b.request("GET", path, 200, size, mime)
}

// scanOwnSite looks like an attack and is none: the nightly scan from the
// scanner's own address, which announces itself and finds nothing.
func (w *world) scanOwnSite(a *actor) {
	b := w.browse(a, "192.0.2.40", "Mozilla/5.0 (compatible; ExampleCorp-VulnScanner/4.2; security@example.com)", false)
	for i := range 120 {
		path := pick(&a.rng, []string{"/admin%d/", "/backup%d.zip", "/test%d.php", "/old%d/", "/api/v%d/users", "/config%d.bak"})
		b.request("GET", fmt.Sprintf(path, i), 404, 437, "text/html")
		a.pause(50*msec, 400*msec)
	}
	b.close()
}

// intranetLife is how an employee uses the application behind nginx.
func (w *world) intranetLife(a *actor, p *person) {
	agent := userAgents[a.rng.below(4)]
	for n := 0; ; n++ {
		a.until(w.midnight(n) + p.starts + a.between(0, 50*minute))
		if !w.weekday(w.now) || a.rng.chance(60) {
			continue
		}
		leaves := w.midnight(n) + p.starts + p.hours
		for w.now < leaves {
			for range 1 + a.rng.below(6) {
				r := &webRequest{method: "GET", agent: agent, status: 200, length: a.between(900, 40_000), referer: "https://" + intraSite + "/"}
				switch a.rng.below(5) {
				case 0:
					r.method, r.url = "POST", "/api/tickets"
					r.status, r.length = 201, a.between(120, 400)
				case 1:
					r.url = fmt.Sprintf("/wiki/page/%d", a.rng.below(400))
				case 2:
					r.url = fmt.Sprintf("/files/download?id=%d", a.rng.below(9000))
					r.length = a.between(20_000, 3_000_000)
				default:
					r.url = pick(&a.rng, []string{"/", "/dashboard", "/api/me", "/calendar", "/api/notifications"})
				}
				w.app.served(a, p.address, "", r)
				a.wait(a.rng.gap(20*second) + 100*msec)
			}
			// And the internet, through the sensor.
			w.surf(a, p)
			a.wait(a.rng.gap(25 * minute))
		}
	}
}

var popular = strings.Fields("www.example.org news.example.net mail.example.org cdn.example.net docs.example.org api.example.net maps.example.org video.example.net update.example.org")

// surf is a look at a site of the internet.
func (w *world) surf(a *actor, p *person) {
	name := pick(&a.rng, popular)
	at := w.sites[name]
	w.sensor.resolve(a, p.address, name, at)
	a.pause(10*msec, 60*msec)
	f := w.sensor.open(a, "TCP", p.address, clientPort(a), at, 443)
	w.sensor.tls(a, &f, name)
	f.toServer += a.between(2000, 40_000)
	f.toClient += a.rng.gap(400_000)
	a.wait(a.rng.gap(30 * second))
	w.sensor.close(a, &f)
}
