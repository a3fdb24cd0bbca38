package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// The events of macOS's Endpoint Security as eslogger(1) prints them, one JSON object a line: "process" is who did it, and "event" has
// one member, called after the event, that says what. The members are those of es_message_t.
// https://developer.apple.com/documentation/endpointsecurity/es_message_t
var _ = registerCloud(&cloudLog{
	name:   "macos.eslogger",
	title:  "macOS Endpoint Security events (eslogger)",
	group:  "system",
	prefix: "macos.es.",
	score:  97,
	recognise: func(has func(string) bool) bool {
		return has("mach_time") && has("process.executable.path") && has("seq_num")
	},
	times: []string{"time"},
	fields: map[string]string{
		"event.exec.cwd.path": "process.working_directory", "event.exec.target.signing_id": "process.code_signature.signing_id", "event.exec.target.team_id": "process.code_signature.team_id",
		"event.create.destination.existing_file.path": "file.path", "event.unlink.target.path": "file.path", "event.rename.source.path": "file.Ext.original.path", "event.close.target.path": "file.path", "event.write.target.path": "file.path",
		"event.setmode.target.path": "file.path", "event.setowner.target.path": "file.path", "event.open.file.path": "file.path", "event.rename.destination.existing_file.path": "file.path", "event.setextattr.target.path": "file.path",
		"event.btm_launch_item_add.item.item_url": "file.path", "event.openssh_login.source_address": "source.ip source.address", "event.openssh_login.username": "user.name", "event.openssh_logout.source_address": "source.ip source.address", "event.openssh_logout.username": "user.name", "event.login_login.username": "user.name", "event.login_logout.username": "user.name", "event.lw_session_login.username": "user.name", "event.lw_session_logout.username": "user.name",
		"event.screensharing_attach.source_address": "source.ip source.address", "event.screensharing_attach.session_username": "user.name", "event.screensharing_detach.source_address": "source.ip source.address", "event.sudo.from_username": "user.name", "event.sudo.to_username": "user.effective.name",
	},
	finish: finishES,
})

// esEvents are the kinds of events that have classes in ECS.
var esEvents = map[string]struct{ category, types string }{
	"exec": {"process", "start"}, "fork": {"process", "start"}, "exit": {"process", "end"}, "signal": {"process", "change"}, "get_task": {"process", "access"}, "remote_thread_create": {"process", "change"},
	"create": {"file", "creation"}, "unlink": {"file", "deletion"}, "rename": {"file", "change"}, "close": {"file", "change"}, "write": {"file", "change"}, "open": {"file", "access"}, "setmode": {"file", "change"}, "setowner": {"file", "change"},
	"setextattr": {"file", "change"}, "deleteextattr": {"file", "change"}, "truncate": {"file", "change"}, "link": {"file", "creation"}, "clone": {"file", "creation"}, "copyfile": {"file", "creation"}, "mount": {"file", "change"},
	"authentication": {"authentication", "start"}, "openssh_login": {"authentication", "start"}, "openssh_logout": {"session", "end"}, "login_login": {"authentication", "start"}, "login_logout": {"session", "end"}, "lw_session_login": {"session", "start"}, "lw_session_logout": {"session", "end"}, "screensharing_attach": {"session", "start"}, "screensharing_detach": {"session", "end"}, "sudo": {"process", "start"}, "su": {"authentication", "start"},
	"btm_launch_item_add": {"configuration", "creation"}, "btm_launch_item_remove": {"configuration", "deletion"}, "xp_malware_detected": {"malware", "info"}, "kextload": {"driver", "start"},
	"od_create_user": {"iam", "creation"}, "od_delete_user": {"iam", "deletion"}, "od_create_group": {"iam", "creation"}, "od_group_add": {"iam", "change"}, "od_modify_password": {"iam", "change"},
}

func finishES(r *cloudRecord) {
	b := r.b
	kind := ""
	var args []string
	for i := range r.leaves {
		l := &r.leaves[i]
		if rest, ok := strings.CutPrefix(l.Name.Path, "event."); ok && kind == "" {
			kind, _, _ = strings.Cut(rest, ".")
		}
		if l.Name.Path == "event.exec.args" && l.Kind == event.String {
			args = append(args, l.Value)
		}
		if l.Kind != event.String { // of Jamf Protect's record around it, and the hashes of images
			continue
		}
		switch n := len(l.Value); {
		case l.Name.Path == "host.hostname":
			b.Add("host.name", l.Value)
		case l.Name.Path == "host.ips" && isIP(l.Value):
			b.Add("host.ip", l.Value)
		case strings.HasSuffix(l.Name.Path, ".sha256") && isHash(l.Value, 64), strings.HasSuffix(l.Name.Path, ".sha1") && isHash(l.Value, 40), n == 32 && strings.HasSuffix(l.Name.Path, ".md5") && isHash(l.Value, n):
			b.Add("related.hash", l.Value)
		}
	}
	b.Add("event.action", kind)
	setNumber(b, r.get("global_seq_num"))
	if c, ok := esEvents[kind]; ok {
		b.Add("event.category", c.category)
		b.Add("event.type", c.types)
	}
	b.Add("host.os.type", "macos")
	actor := r.get("process.executable.path")
	if kind != "exec" {
		b.Add("process.executable", actor)
		b.Add("process.name", actor[strings.LastIndexByte(actor, '/')+1:])
		b.AddNumber("process.pid", r.get("process.audit_token.pid"))
	} else {
		image := r.get("event.exec.target.executable.path")
		b.Add("process.executable", image)
		b.Add("process.name", image[strings.LastIndexByte(image, '/')+1:])
		b.AddNumber("process.pid", r.get("event.exec.target.audit_token.pid"))
		b.Add("process.command_line", b.Bytes([]byte(strings.Join(args, " "))))
		for _, a := range args {
			b.Add("process.args", a)
		}
		b.AddInt("process.args_count", int64(len(args)))
		b.Add("process.parent.executable", actor)
		b.Add("process.parent.name", actor[strings.LastIndexByte(actor, '/')+1:])
		b.AddNumber("process.parent.pid", r.get("process.audit_token.pid"))
	}
	if dir, name := r.get("event.create.destination.new_path.dir.path", "event.rename.destination.new_path.dir.path"), r.get("event.create.destination.new_path.filename", "event.rename.destination.new_path.filename"); name != "" {
		b.Add("file.path", b.Bytes([]byte(dir+"/"+name)))
	}
	b.Add("user.id", r.get("event.exec.target.audit_token.euid", "process.audit_token.euid"))
	switch r.get("event." + kind + ".success") {
	case "true":
		b.Add("event.outcome", "success")
	case "false":
		b.Add("event.outcome", "failure")
	}
}
