package simulate

import "fmt"

var _ = campaign(Campaign{
	Name:  "port-scan-then-login",
	Title: "The bastion is scanned, then someone logs in with a password known from elsewhere and moves on inside",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.bastion, k.actor
		victim := w.of(&k.rng, developer)
		k.host(h)
		k.tells("bastion1/auth")
		k.step("T1046", "scan", "scans the ports of bastion1")
		ports := k.between(300, 1100)
		from := k.source()
		for i := range ports {
			if i%50 == 49 {
				from = k.source()
			}
			port := int(k.between(1, 10_000))
			if i%9 == 0 {
				port = pick(&k.rng, []int{21, 23, 25, 80, 110, 443, 1433, 3306, 3389, 5432, 5900, 8080})
			}
			w.probe(a, h, from, clientPort(a), port)
			k.lull(5*msec, 60*msec)
		}
		c := h.sshConnect(a, from) // the open port: the banner
		k.pause(100*msec, second)
		c.giveUp(false)
		k.pause(minute, 20*minute)

		k.step("T1110.004", "reuse", "tries passwords of %s", victim.name)
		for range k.between(1, 4) {
			c := h.sshConnect(a, from)
			c.fail(victim.name)
			c.giveUp(false)
			k.lull(3*second, 20*second)
		}
		k.step("T1078", "login", "logs in as %s", victim.name)
		k.user(victim.name)
		s := h.sshConnect(a, from).accept(victim.name, "")
		k.succeeds()
		k.fact("access", victim.name, "a session as %s on bastion1 from %s", victim.name, from)
		k.pause(30*second, 4*minute)
		k.step("T1021.004", "move", "goes on to app1")
		k.host(w.app)
		inner := w.app.sshConnect(a, h.address).accept(victim.name, "")
		k.fact("lateral", "app1", "a session as %s on app1", victim.name)
		k.pause(2*minute, 10*minute)
		inner.sudo("/usr/bin/cat /etc/shadow", nil)
		k.pause(minute, 5*minute)
		inner.exit()
		k.pause(second, 20*second)
		s.exit()
	},
})

var _ = campaign(Campaign{
	Name:  "stolen-key-login",
	Title: "An admin's stolen SSH key opens the bastion from a new place; data is packed and sent out",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.bastion, k.actor
		victim := w.of(&k.rng, admin)
		k.host(h)
		k.user(victim.name)
		k.tells("bastion1/auth")
		from := k.source()
		k.step("T1078", "login", "logs in as %s with the key, at once", victim.name)
		s := h.sshConnect(a, from).accept(victim.name, victim.key)
		k.succeeds()
		k.fact("access", victim.name, "a session as %s on bastion1 from %s", victim.name, from)
		k.pause(10*second, 2*minute)
		k.step("T1021.004", "move", "goes on to app1")
		k.host(w.app)
		inner := w.app.sshConnect(a, h.address).accept(victim.name, victim.key)
		k.fact("lateral", "app1", "a session as %s on app1", victim.name)
		k.pause(20*second, 3*minute)
		k.step("T1098.004", "key", "adds a key of its own for root")
		inner.sudo("/usr/bin/tee -a /root/.ssh/authorized_keys", nil)
		k.fact("persistence", "/root/.ssh/authorized_keys", "a key was added for root on app1")
		k.pause(20*second, 3*minute)
		k.step("T1560.001", "pack", "packs the application's data")
		inner.sudo("/usr/bin/tar czf /tmp/.b.tgz /srv/app/data /etc", nil)
		k.pause(minute, 5*minute)
		k.step("T1048.002", "send", "sends it out")
		f := w.sensor.open(a, "TCP", w.app.address, clientPort(a), from, 443)
		w.sensor.tls(a, &f, "files.example.net")
		k.pause(3*minute, 15*minute)
		f.toServer += k.between(200_000_000, 3_000_000_000)
		w.sensor.close(a, &f)
		k.fact("data-out", from, "about %d MB went out to %s", f.toServer/1_000_000, from)
		inner.exit()
		s.exit()
		k.wait(2 * minute)
	},
})

var _ = campaign(Campaign{
	Name:  "insider-data-theft",
	Title: "An employee copies the projects' files in the evening and uploads them to a file-sharing site",
	Run: func(k *attack) {
		w, dc, a := k.w, k.w.dc, k.actor
		p := w.of(&k.rng, office)
		k.host(dc)
		k.user(p.name)
		k.tells("dc1/security", "sensor1/suricata")
		add(&k.truth.Sources, p.address)
		k.evening()
		k.step("T1039", "collect", "%s reads the share Projects as never before", p.name)
		s := w.netLogon(a, p.target(), p.address, false)
		s.openShare(a, p.address, "Projects", `\??\D:\Projects`)
		port := clientPort(a)
		files := k.between(300, 900)
		for range files {
			s.readFile(a, p.address, port, "Projects", `\??\D:\Projects`, document(&k.rng))
			k.lull(50*msec, 1500*msec)
		}
		k.fact("data-read", "Projects", "%d files of the share Projects were read", files)
		s.logOff(a)
		k.pause(5*minute, 25*minute)
		k.step("T1567.002", "upload", "and uploads them")
		site := pick(&k.rng, []string{"upload.fileshare.example", "transfer.bigfiles.example", "drop.example.net"})
		at := w.stranger()
		w.sensor.resolve(a, p.address, site, at)
		var out int64
		for range k.between(2, 7) {
			f := w.sensor.open(a, "TCP", p.address, clientPort(a), at, 443)
			w.sensor.tls(a, &f, site)
			k.pause(2*minute, 9*minute)
			f.toServer += k.between(150_000_000, 900_000_000)
			out += f.toServer
			w.sensor.close(a, &f)
		}
		k.succeeds()
		k.fact("data-out", at, "about %d MB went out to %s", out/1_000_000, site)
		k.wait(2 * minute)
	},
})

var _ = campaign(Campaign{
	Name:  "sudo-escalation",
	Title: "A developer who may only restart the application becomes root through an editor and keeps the way open",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.app, k.actor
		p := w.of(&k.rng, developer)
		k.host(h)
		k.user(p.name)
		k.tells("app1/auth")
		add(&k.truth.Sources, p.address)
		k.step("T1078", "login", "%s logs in", p.name)
		s := h.sshConnect(a, p.address).accept(p.name, p.key)
		k.pause(minute, 5*minute)
		k.step("T1548.003", "try", "tries commands that sudo does not allow")
		for _, c := range []string{"/bin/bash", "/usr/bin/su -", "/usr/bin/cat /etc/shadow"} {
			h.authf(a, "sudo", 0, "%8s : command not allowed ; TTY=%s ; PWD=%s ; USER=root ; COMMAND=%s", p.name, s.tty, s.home(), c)
			k.lull(4*second, 40*second)
		}
		k.step("T1548.003", "escape", "uses the editor it may run to get a shell, and lets itself do everything")
		k.succeeds()
		s.sudo("/usr/bin/vim /etc/app/app.conf", func() {
			k.pause(20*second, 90*second)
			h.addToGroup(a, p.name, "sudo")
		})
		k.fact("privilege", "root", "%s became root on app1", p.name)
		k.fact("privilege", p.name, "%s may use sudo for everything on app1", p.name)
		k.pause(minute, 5*minute)
		s.sudo("/bin/bash", func() { k.pause(2*minute, 9*minute) })
		s.exit()
	},
})

var _ = campaign(Campaign{
	Name:  "dns-tunnel",
	Title: "A workstation sends data out in the names it looks up",
	Run: func(k *attack) {
		w, a := k.w, k.actor
		p := w.of(&k.rng, office)
		if p == w.ws.windows.owner {
			k.host(w.ws)
		}
		k.tells("sensor1/suricata")
		add(&k.truth.Sources, p.address)
		k.step("T1071.004", "tunnel", "looks up names that carry data")
		zone := pick(&k.rng, []string{"t.cdn-metrics.example", "x.telemetry-sync.example", "ns.update-check.example"})
		const digits = "abcdefghijklmnopqrstuvwxyz234567"
		names := k.between(400, 1500)
		for i := range names {
			label := make([]byte, 0, 64)
			for range 50 + k.rng.below(12) {
				label = append(label, digits[k.rng.below(32)])
			}
			w.sensor.resolve(a, p.address, fmt.Sprintf("%s.%x.%s", label, i, zone), "198.51.100.1")
			if i == 0 {
				k.succeeds()
			}
			k.lull(100*msec, 2*second)
		}
		k.fact("data-out", zone, "about %d kB went out in names under %s", names*35/1000, zone)
	},
})

var _ = campaign(Campaign{
	Name:  "c2-beacon",
	Title: "A workstation calls a server outside at even intervals for hours",
	Run: func(k *attack) {
		w, a := k.w, k.actor
		p := w.of(&k.rng, office)
		k.tells("sensor1/suricata")
		at := k.source()
		add(&k.truth.Sources, p.address)
		name := pick(&k.rng, []string{"api-metrics.example.net", "status.cloud-sync.example", "cdn77.example.org"})
		k.step("T1071.001", "beacon", "calls %s", name)
		every := k.between(30, 300) * second
		for range k.between(60, 400) {
			w.sensor.resolve(a, p.address, name, at)
			f := w.sensor.open(a, "TCP", p.address, clientPort(a), at, 443)
			w.sensor.tls(a, &f, name)
			f.toServer += k.between(300, 420)
			f.toClient += k.between(180, 260)
			k.pause(100*msec, 900*msec)
			w.sensor.close(a, &f)
			k.succeeds()
			k.lull(every-every/20, every+every/20)
		}
		k.fact("outbound", at, "a program on %s is under control from %s", p.machine, at)
	},
})

var _ = campaign(Campaign{
	Name:  "supply-chain-package",
	Title: "A dependency of the application was tampered with: installing it leaves a service that calls home",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.app, k.actor
		p := w.of(&k.rng, developer)
		k.host(h)
		k.user(p.name)
		k.tells("sensor1/suricata", "app1/syslog")
		at := k.source()
		name := pick(&k.rng, []string{"registry-telemetry.example", "npm-metrics.example.net", "pkg-stats.example.org"})
		s := h.sshConnect(a, p.address)
		k.step("T1195.002", "install", "%s installs the application's dependencies", p.name)
		in := s.accept(p.name, p.key)
		k.pause(20*second, 2*minute)
		unit := pick(&k.rng, []string{"node-metrics", "pkg-cache", "app-telemetry"})
		in.sudo("/usr/bin/npm ci --prefix /srv/app", func() {
			k.pause(4*second, 20*second)
			k.step("T1059.004", "script", "a script of one of them fetches a program")
			w.sensor.resolve(a, h.address, name, at)
			f := w.sensor.open(a, "TCP", h.address, clientPort(a), at, 80)
			w.sensor.http(a, &f, &webRequest{host: name, method: "GET", url: "/dist/postinstall.js", agent: "node", status: 200, length: 8841, mime: "application/javascript"})
			w.sensor.http(a, &f, &webRequest{host: name, method: "GET", url: "/dist/agent-linux-x64", agent: "curl/7.88.1", status: 200, length: 6_120_448, mime: "application/octet-stream", tx: 1})
			w.sensor.close(a, &f)
			k.succeeds()
			k.fact("execution", unit, "a program from %s ran on app1 as root", name)
			k.pause(second, 3*second)
			k.step("T1543.002", "service", "which makes itself the service %s", unit)
			h.sysf(a, "systemd", 1, "Reloading.")
			h.sysf(a, "systemd", 1, "Started %s.service - Metrics collector.", unit)
			k.fact("persistence", unit+".service", "a service was added on app1")
			k.pause(5*second, 20*second)
		})
		in.exit()
		k.step("T1071.001", "callback", "and calls home")
		every := k.between(2*minute, 9*minute)
		for range k.between(20, 80) {
			w.sensor.resolve(a, h.address, name, at)
			f := w.sensor.open(a, "TCP", h.address, clientPort(a), at, 443)
			w.sensor.tls(a, &f, name)
			f.toServer += k.between(600, 4000)
			k.pause(100*msec, 700*msec)
			w.sensor.close(a, &f)
			k.lull(every*9/10, every*11/10)
		}
		k.fact("outbound", at, "app1 is in contact with %s", at)
	},
})
