package simulate

import "fmt"

// liveDHCP is the network's DHCP server (ISC dhcpd, by rsyslog to a file of its
// own): each workstation asks when it is switched on, and again after half the
// lease.
func (w *world) liveDHCP(h *host) {
	if w.o.without(h.name, "dhcp") {
		return
	}
	log := w.newTextLog(h, "var/log/dhcpd.log")
	pid := h.newPIDOf(700)
	for i, p := range w.people {
		mac := fmt.Sprintf("02:00:5e:20:%02x:%02x", i>>8, i&255)
		via := fmt.Sprintf("%s (%s) via eth2", mac, p.machine)
		w.spawn("dhcp of "+p.name, w.now, func(a *actor) {
			for n := 0; ; n++ {
				a.until(w.midnight(n) + p.starts + a.between(0, 30*minute))
				if !w.weekday(w.now) {
					continue
				}
				log.logf(a.mark, "dhcpd", pid, "DHCPDISCOVER from %s via eth2", mac)
				log.logf(a.mark, "dhcpd", pid, "DHCPOFFER on %s to %s", p.address, via)
				a.pause(5*msec, 90*msec)
				for leaves := w.midnight(n) + p.starts + p.hours; w.now < leaves; a.wait(4*hour + a.between(0, minute)) {
					log.logf(a.mark, "dhcpd", pid, "DHCPREQUEST for %s from %s", p.address, via)
					log.logf(a.mark, "dhcpd", pid, "DHCPACK on %s to %s", p.address, via)
				}
			}
		})
	}
}

// newPIDOf is the number of a daemon that started with the host.
func (h *host) newPIDOf(low int64) int64 {
	rng := h.w.random(fmt.Sprint("daemon ", h.name, low))
	return rng.between(low, low+400)
}
