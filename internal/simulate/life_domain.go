package simulate

import (
	"fmt"
	"strings"
)

// liveWindows is the domain controller, which everyone uses, and the one
// workstation whose logs are kept.
func (w *world) liveWindows() {
	for _, p := range w.people {
		w.spawn("domain "+p.name, w.now, func(a *actor) { w.domainLife(a, p) })
	}
	w.spawn("machines", w.now, func(a *actor) { w.machineLife(a) })
	w.spawn("help desk", w.now, func(a *actor) { w.helpDesk(a) })
	for _, h := range []*host{w.dc, w.ws} {
		w.spawn("services "+h.name, w.now, func(a *actor) { h.serviceLife(a) })
	}
	w.spawn("workstation", w.now, func(a *actor) { w.ws.deskLife(a, w.ws.windows.owner) })
	w.spawn("workstation itself", w.now, func(a *actor) { w.ws.systemLife(a) })
}

// netLogon is a short network session on the domain controller: policy, mail
// profile, a mapped drive.
func (w *world) netLogon(a *actor, t target, from string, high bool) *logon {
	w.dc.ticket(a, t, from, "DC1$", "0x12")
	a.pause(msec, 8*msec)
	return w.dc.logOn(a, t, 3, false, from, "-", high)
}

// domainLife is what an employee's day leaves on the domain controller.
func (w *world) domainLife(a *actor, p *person) {
	t := p.target()
	for n := 0; ; n++ {
		a.until(w.midnight(n) + p.starts + a.between(0, 35*minute))
		if !w.weekday(w.now) || a.rng.chance(60) {
			continue
		}
		leaves := w.midnight(n) + p.starts + p.hours
		if a.rng.chance(90) { // the morning's typing
			a.mark = mark{kind: lookalike}
			for range 1 + a.rng.below(3) {
				w.dc.preAuthFails(a, t, p.address)
				if p.address == w.ws.address {
					w.ws.logOnFails(a, p.name, 2, wrongPassword, "127.0.0.1", w.ws.netbiosName())
				}
				a.pause(4*second, 12*second)
			}
			a.mark = mark{}
		}
		w.dc.tgt(a, t, p.address)
		a.pause(5*msec, 40*msec)
		w.dc.ticket(a, t, p.address, p.machine+"$", "0x12")
		var drive *logon
		for w.now < leaves {
			s := w.netLogon(a, t, p.address, p.role == admin)
			share, path := "SYSVOL", `\??\C:\Windows\SYSVOL\sysvol`
			if a.rng.chance(600) {
				share, path = "Projects", `\??\D:\Projects`
			}
			s.openShare(a, p.address, share, path)
			if share == "Projects" {
				port := clientPort(a)
				for range 1 + a.rng.below(5) {
					a.wait(a.rng.gap(30 * second))
					s.readFile(a, p.address, port, share, path, document(&a.rng))
				}
			}
			if drive != nil {
				drive.logOff(a)
			}
			drive = s
			a.wait(a.rng.gap(70 * minute))
			if a.rng.chance(200) {
				w.dc.ticket(a, t, p.address, pick(&a.rng, []string{"DC1$", "APP1$", "svc-sql"}), "0x12")
			}
		}
		if drive != nil {
			drive.logOff(a)
		}
	}
}

// document is a file of the projects' share.
func document(r *nidsRNG) string {
	topics := strings.Fields("Budget Offer Plan Design Minutes Contract Roadmap Report Invoice Review")
	return fmt.Sprintf(`P%03d\%s %d.%s`, r.below(40), pick(r, topics), 2023+r.below(4), pick(r, []string{"docx", "xlsx", "pdf", "pptx"}))
}

// helpDesk resets passwords, and makes accounts for those who are new.
func (w *world) helpDesk(a *actor) {
	for rid := 6000; ; {
		a.busy(9 * hour)
		p := w.of(&a.rng, admin)
		a.mark = mark{kind: lookalike}
		s := w.netLogon(a, p.target(), p.address, true)
		a.pause(5*second, 40*second)
		if a.rng.chance(250) {
			rid++
			first, last := pick(&a.rng, firstNames), pick(&a.rng, lastNames)
			s.newUser(a, fmt.Sprintf("%s.%s", first, strings.ToLower(last)), strings.ToUpper(first[:1])+first[1:]+" "+last, rid)
		} else {
			s.resetPassword(a, pick(&a.rng, w.people))
		}
		a.pause(minute, 5*minute)
		s.logOff(a)
		a.mark = mark{}
	}
}

// machineLife are the computers' own accounts.
func (w *world) machineLife(a *actor) {
	for {
		a.wait(a.rng.gap(hour / int64(len(w.people))))
		p := pick(&a.rng, w.people)
		t := machine(p.machine)
		w.dc.tgt(a, t, p.address)
		s := w.netLogon(a, t, p.address, false)
		a.pause(second, 12*second)
		s.logOff(a)
	}
}

// serviceLife is services starting and stopping.
func (h *host) serviceLife(a *actor) {
	services := [][2]string{
		{"Windows Update", "wuauserv"}, {"Background Intelligent Transfer Service", "BITS"}, {"Windows Modules Installer", "TrustedInstaller"},
		{"Software Protection", "sppsvc"}, {"WMI Performance Adapter", "wmiApSrv"}, {"Volume Shadow Copy", "VSS"}, {"Windows Defender Antivirus Network Inspection Service", "WdNisSvc"},
	}
	for {
		a.wait(a.rng.gap(25*minute) + second)
		s := pick(&a.rng, services)
		h.serviceLogOn(a)
		h.service(a, s[0], s[1], "running")
		if s[1] == "BITS" {
			h.system.event(a.mark, serviceStart, h.windows.scm, h.windows.scm+1024, "S-1-5-18", s[0], "demand start", "auto start", s[1])
		}
		a.pause(2*minute, 8*minute)
		h.service(a, s[0], s[1], "stopped")
	}
}

// systemLife is what a workstation does by itself.
func (h *host) systemLife(a *actor) {
	s := h.windows
	for {
		a.wait(a.rng.gap(9 * minute))
		switch a.rng.below(10) {
		case 0: // the inventory script of the management agent
			p := s.svchost.start(a, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`,
				`powershell.exe -NoProfile -NonInteractive -ExecutionPolicy RemoteSigned -File "C:\ProgramData\ExampleMgmt\Inventory.ps1"`)
			a.pause(200*msec, second)
			p.powerShell(a, "$os = Get-CimInstance Win32_OperatingSystem\r\n$disk = Get-CimInstance Win32_LogicalDisk\r\n[pscustomobject]@{ Host = $env:COMPUTERNAME; OS = $os.Version; Free = $disk.FreeSpace } | ConvertTo-Json | Out-File C:\\ProgramData\\ExampleMgmt\\inventory.json\r\n",
				`C:\ProgramData\ExampleMgmt\Inventory.ps1`, false)
			a.pause(second, 4*second)
			p.creates(a, `C:\ProgramData\ExampleMgmt\inventory.json`)
			p.end(a)
		case 1:
			p := s.services.start(a, `C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.26010.5-0\MpCmdRun.exe`, `"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.26010.5-0\MpCmdRun.exe" SignatureUpdate -ScheduleJob -RestrictPrivileges`)
			a.pause(second, 20*second)
			p.end(a)
		case 2, 3:
			p := s.services.start(a, `C:\Windows\System32\svchost.exe`, `C:\Windows\system32\svchost.exe -k netsvcs -p -s wuauserv`)
			a.pause(20*msec, 500*msec)
			at := h.w.sites["update.example.org"]
			p.looksUp(a, "update.example.org", at)
			f := p.connects(a, at, "update.example.org", 443)
			h.w.sensor.tls(a, &f, "update.example.org")
			f.toClient += a.rng.gap(2_000_000)
			p.sets(a, `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\LastOnlineScanTimeForAppCategory`, "Binary Data")
			a.pause(second, 2*minute)
			h.w.sensor.close(a, &f)
			p.end(a)
		default:
			p := s.svchost.start(a, `C:\Windows\System32\taskhostw.exe`, pick(&a.rng, []string{"taskhostw.exe", "taskhostw.exe Install $(Arg0)", "taskhostw.exe -RegisterDevice -ProtectionStateChanged -FreeNetworkOnly", "taskhostw.exe SYSTEM"}))
			a.pause(second, minute)
			p.end(a)
		}
	}
}

// logInDesk is the owner sitting down: the interactive logon and the shell.
func (h *host) logInDesk(a *actor, p *person) *logon {
	s := h.windows
	t := p.target()
	h.audit(a, auditExplicit, "S-1-5-18", h.netbiosName()+"$", netbios, "0x3e7", noGUID, t.user, t.domain, noGUID, "localhost", "localhost", hex32(s.svchost.pid), `C:\Windows\System32\svchost.exe`, "127.0.0.1", "0")
	l := h.logOn(a, t, 2, false, "127.0.0.1", h.netbiosName(), false)
	a.pause(300*msec, 900*msec)
	init := s.winlogon.startAs(a, l, "Medium", `C:\Windows\System32\userinit.exe`, `C:\Windows\system32\userinit.exe`)
	a.pause(100*msec, 400*msec)
	s.explorer = init.start(a, `C:\Windows\explorer.exe`, `C:\Windows\Explorer.EXE`)
	s.explorer.directory = `C:\Users\` + p.name + `\`
	a.pause(10*second, 20*second)
	init.end(a)
	return l
}

const (
	edge    = `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`
	outlook = `C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE`
	word    = `C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE`
	excel   = `C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE`
)

// deskLife is the owner's work on the workstation.
func (h *host) deskLife(a *actor, p *person) {
	for n := 0; ; n++ {
		a.until(h.w.midnight(n) + p.starts + a.between(0, 30*minute))
		if !h.w.weekday(h.w.now) {
			continue
		}
		leaves := h.w.midnight(n) + p.starts + p.hours
		l := h.logInDesk(a, p)
		shell := h.windows.explorer
		mail := shell.start(a, outlook, `"`+outlook+`" `)
		browser := shell.start(a, edge, `"`+edge+`" --no-startup-window`)
		for h.w.now < leaves {
			a.wait(a.rng.gap(4*minute) + second)
			switch a.rng.below(8) {
			case 0, 1, 2:
				name := pick(&a.rng, popular)
				at := h.w.sites[name]
				tab := browser.start(a, edge, `"`+edge+`" --type=renderer --lang=en-US --js-flags=--ms-user-locale= --renderer-client-id=`+fmt.Sprint(a.rng.below(400)))
				browser.looksUp(a, name, at)
				a.pause(10*msec, 90*msec)
				f := browser.connects(a, at, name, 443)
				h.w.sensor.tls(a, &f, name)
				f.toClient += a.rng.gap(300_000)
				a.wait(a.rng.gap(minute))
				h.w.sensor.close(a, &f)
				tab.end(a)
			case 3:
				program, file := word, document(&a.rng)
				if strings.HasSuffix(file, "xlsx") {
					program = excel
				}
				d := shell.start(a, program, `"`+program+`" /n "\\DC1\Projects\`+file+`" /o ""`)
				a.pause(minute, 20*minute)
				d.creates(a, `C:\Users\`+p.name+`\AppData\Roaming\Microsoft\Office\Recent\`+file[strings.IndexByte(file, '\\')+1:]+`.LNK`)
				d.end(a)
			case 4:
				f := mail.connects(a, "10.20.1.40", "mail.corp.example.com", 443)
				a.pause(second, 9*second)
				h.w.sensor.close(a, &f)
				mail.creates(a, `C:\Users\`+p.name+`\AppData\Local\Microsoft\Outlook\RoamCache\Stream_`+fmt.Sprintf("%08X", a.rng.next()>>32)+`.dat`)
			case 5:
				f := h.windows.svchost.connects(a, h.w.dc.address, "dc1.corp.example.com", 389)
				h.w.sensor.close(a, &f)
			case 6: // away, and back
				a.pause(3*minute, 25*minute)
				u := h.logOn(a, p.target(), 7, false, "127.0.0.1", h.netbiosName(), false)
				a.wait(20 * msec)
				u.logOff(a)
			default:
				b := h.windows.svchost.startAs(a, l, "Low", `C:\Windows\System32\backgroundTaskHost.exe`, `"C:\Windows\system32\backgroundTaskHost.exe" -ServerName:CortanaUI.AppXy7vb4pc2dr3kc93kfc509b1d0arkfb2x.mca`)
				a.pause(5*second, 40*second)
				b.end(a)
			}
		}
		browser.end(a)
		mail.end(a)
		shell.end(a)
		h.windows.explorer = nil
		l.logOff(a)
	}
}
