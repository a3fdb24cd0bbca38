package simulate

import (
	"fmt"
	"strings"
)

// populate starts everyone and everything that lives in the world.
func (w *world) populate() {
	for _, h := range []*host{w.web, w.bastion, w.app} {
		w.liveLinux(h)
	}
	for _, p := range w.people {
		switch p.role {
		case admin, developer:
			w.spawn("ssh "+p.name, w.now, func(a *actor) { w.sshLife(a, p) })
		}
		w.spawn("intranet "+p.name, w.now, func(a *actor) { w.intranetLife(a, p) })
	}
	w.liveWeb()
	w.liveInternet()
	w.liveWindows()
	w.liveDHCP(w.sensor.host)
	w.liveCloud(w.cloud)
	w.livePostgreSQL(w.app)
	w.liveKubernetes(w.app)
	w.liveIIS(w.dc)
}

// liveLinux is what a server does by itself.
func (w *world) liveLinux(h *host) {
	h.every(hour, 17*minute, "root", "   cd / && run-parts --report /etc/cron.hourly", 80*msec)
	h.every(5*minute, 0, "root", "command -v debian-sa1 > /dev/null && debian-sa1 1 1", 120*msec)
	h.every(day, 6*hour+25*minute, "root", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }", 9*second)
	h.every(day, 2*hour+10*minute, "root", "/usr/local/sbin/backup.sh >/dev/null 2>&1", 4*minute)
	if h == w.web {
		h.every(30*minute, 9*minute, "root", "  [ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi", 60*msec)
	}
	type unit struct {
		name, title string
		each, at    int64
		lines       []string
	}
	for _, u := range []unit{
		{"apt-daily", "Daily apt download activities", 12 * hour, 5*hour + 12*minute, nil},
		{"apt-daily-upgrade", "Daily apt upgrade and clean activities", day, 6*hour + 41*minute, nil},
		{"logrotate", "Rotate log files", day, 5 * second, nil},
		{"man-db", "Daily man-db regeneration", day, 40 * second, nil},
		{"systemd-tmpfiles-clean", "Cleanup of Temporary Directories", day, 14*hour + 3*minute, nil},
		{"fstrim", "Discard unused blocks on filesystems from /etc/fstab", 7 * day, 70 * second, nil},
	} {
		w.spawn("unit "+h.name+u.name, w.now+u.at, func(a *actor) {
			for {
				a.pause(second, 20*minute)
				h.sysf(a, "systemd", 1, "Starting %s.service - %s...", u.name, u.title)
				a.pause(200*msec, 20*second)
				h.sysf(a, "systemd", 1, "%s.service: Deactivated successfully.", u.name)
				h.sysf(a, "systemd", 1, "Finished %s.service - %s.", u.name, u.title)
				a.wait(u.each)
			}
		})
	}
	w.spawn("clock "+h.name, w.now, func(a *actor) {
		for {
			a.wait(a.rng.gap(3 * hour))
			h.sysf(a, "systemd-timesyncd", 390, "Contacted time server 192.0.2.123:123 (ntp.example.com).")
		}
	})
	w.spawn("dhcp "+h.name, w.now, func(a *actor) {
		pid := h.newPID(a)
		for {
			a.pause(25*minute, 35*minute)
			h.sysf(a, "dhclient", pid, "DHCPREQUEST for %s on eth0 to 192.0.2.1 port 67", h.address)
			h.sysf(a, "dhclient", pid, "DHCPACK of %s from 192.0.2.1", h.address)
			h.sysf(a, "dhclient", pid, "bound to %s -- renewal in %d seconds.", h.address, a.between(1500, 2100))
		}
	})
}

// sshLife is the working life of someone who uses servers.
func (w *world) sshLife(a *actor, p *person) {
	for n := 0; ; n++ {
		a.until(w.midnight(n) + p.starts + a.between(0, 40*minute))
		if !w.weekday(w.now) || a.rng.chance(60) {
			continue
		}
		leaves := w.midnight(n) + p.starts + p.hours
		from := p.address
		if a.rng.chance(250) {
			from = p.home // works from home
		}
		for w.now < leaves {
			w.workOn(a, p, from)
			a.wait(a.rng.gap(80*minute) + 5*minute)
		}
	}
}

// workOn is one visit to a server: through the bastion, or straight to one
// that is reachable.
func (w *world) workOn(a *actor, p *person, from string) {
	h := w.bastion
	if from == p.address {
		h = pick(&a.rng, []*host{w.bastion, w.app, w.app})
	}
	if p.role == admin && a.rng.chance(300) {
		h = w.web
	}
	c := h.sshConnect(a, from)
	kept := a.mark
	if p.key == "" {
		// Passwords get mistyped: mostly once, on a bad day up to four times.
		wrong := 0
		for wrong < 4 && a.rng.chance(70+uint32(wrong)*150) {
			wrong++
		}
		if wrong > 0 {
			a.mark = mark{kind: lookalike}
		}
		for range wrong {
			a.pause(2*second, 6*second)
			c.fail(p.name)
		}
	}
	a.pause(second, 4*second)
	s := c.accept(p.name, p.key)
	a.mark = kept
	stay := a.rng.gap(20*minute) + minute
	leaves := w.now + stay
	for w.now < leaves {
		a.wait(a.rng.gap(6*minute) + 5*second)
		if p.role == admin || a.rng.chance(150) {
			if a.rng.chance(25) {
				s.sudoTypo()
			}
			if p.role == admin && a.rng.chance(40) {
				w.chore(a, s)
				continue
			}
			s.sudo(pick(&a.rng, adminCommands), nil)
		}
	}
	s.exit()
}

// chore is an admin's rarer work, which looks like what an intruder does.
func (w *world) chore(a *actor, s *session) {
	a.mark = mark{kind: lookalike}
	h := s.h
	switch a.rng.below(4) {
	case 0: // an account for a contractor
		name := fmt.Sprintf("ext%02d", 1+a.rng.below(40))
		if _, known := h.accounts[name]; known {
			s.sudo("/usr/bin/chage -l "+name, nil)
			break
		}
		s.sudo("/usr/sbin/useradd -m -s /bin/bash "+name, func() { h.addUser(a, name, s.tty) })
		a.pause(10*second, minute)
		s.sudo("/usr/sbin/chpasswd", func() { h.setPassword(a, name) })
	case 1:
		s.sudo("/usr/bin/crontab -e", func() { h.editCrontab(a, "root", a.between(20*second, 3*minute)) })
	case 2:
		s.su("postgres", a.between(minute, 10*minute))
	case 3:
		s.sudo("/usr/bin/apt upgrade -y", func() { a.pause(20*second, 3*minute) })
	}
	a.mark = mark{}
}

var adminCommands = strings.Split(`/usr/bin/systemctl status ssh
/usr/bin/systemctl restart app.service
/usr/bin/journalctl -u app.service -n 100
/usr/bin/apt update
/usr/bin/apt list --upgradable
/usr/bin/tail -n 200 /var/log/syslog
/usr/bin/less /var/log/auth.log
/usr/bin/vim /etc/hosts
/usr/bin/du -sh /var/log
/usr/bin/ss -tlnp
/usr/bin/docker ps
/usr/bin/certbot renew --dry-run
/usr/bin/cat /etc/fstab`, "\n")

// liveInternet is the noise that reaches every public address.
func (w *world) liveInternet() {
	// Botnets try a login or two and move on to the next address.
	for _, h := range []*host{w.web, w.bastion} {
		w.spawn("ssh noise "+h.name, w.now, func(a *actor) {
			a.mark = mark{kind: background}
			for {
				a.wait(a.rng.gap(9 * minute))
				from := pick(&a.rng, w.bots)
				w.spawn(fmt.Sprint("ssh bot ", w.order), w.now, func(b *actor) {
					b.mark = a.mark
					w.sshBot(b, h, from)
				})
			}
		})
		w.spawn("packet noise "+h.name, w.now, func(a *actor) {
			a.mark = mark{kind: background}
			ports := []int{23, 23, 2323, 445, 3389, 8080, 5900, 6379, 1433, 3306, 8443, 5060, 81, 8888, 2222, 9200, 27017, 21, 25, 5432, 161, 123}
			for {
				a.wait(a.rng.gap(70 * second))
				port := pick(&a.rng, ports)
				if a.rng.chance(200) {
					port = int(a.between(1, 65536))
				}
				w.probe(a, h, pick(&a.rng, w.bots), clientPort(a), port)
			}
		})
	}
}

// probe is one packet to a port; closed ports are dropped and logged by UFW.
func (w *world) probe(a *actor, h *host, from string, sport, port int) {
	udp := port == 161 || port == 123 || port == 5060
	proto := "TCP"
	if udp {
		proto = "UDP"
	}
	f := w.sensor.open(a, proto, from, sport, h.address, port)
	f.dropped = true
	switch port {
	case 3306:
		w.sensor.alert(a, &f, &etMySQLScan, nil)
	case 5432:
		w.sensor.alert(a, &f, &etPostgres, nil)
	case 1433:
		w.sensor.alert(a, &f, &etMSSQL, nil)
	}
	h.blocked(a, from, sport, port, udp)
	w.sensor.close(a, &f)
}

var botUsers = strings.Fields("root root root admin user test ubuntu oracle postgres git pi ftpuser deploy guest hadoop jenkins www mysql minecraft steam nagios debian es")

// sshBot is what one address of a botnet tries.
func (w *world) sshBot(a *actor, h *host, from string) {
	switch a.rng.below(6) {
	case 0: // a banner grab
		c := h.sshConnect(a, from)
		a.pause(200*msec, 3*second)
		c.giveUp(false)
		return
	case 1:
		c := h.sshConnect(a, from)
		a.pause(100*msec, 800*msec)
		c.logf("error: kex_exchange_identification: Connection closed by remote host")
		c.logf("Connection closed by %s port %d", c.from, c.port)
		c.close()
		return
	}
	clean := a.rng.chance(500)
	for range 1 + a.rng.below(3) {
		c := h.sshConnect(a, from)
		c.fail(pick(&a.rng, botUsers))
		c.giveUp(clean)
		a.wait(a.rng.gap(30 * second))
	}
}
