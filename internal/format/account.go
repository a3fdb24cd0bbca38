package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// The shadow suite that keeps /etc/passwd, shadow and group (useradd, usermod,
// userdel, groupadd, groupmod, groupdel, gpasswd, passwd, chpasswd, chage, chfn,
// chsh, newusers), and Debian's adduser on top of it.
var (
	_ = registerProgram(accounts("user", "creation", "added-user-account", "useradd", "newusers", "adduser"))
	_ = registerProgram(accounts("user", "change", "changed-user-account", "usermod", "chage", "chfn", "chsh"))
	_ = registerProgram(accounts("user", "deletion", "deleted-user-account", "userdel", "deluser"))
	_ = registerProgram(accounts("group", "creation", "added-group-account", "groupadd", "addgroup"))
	_ = registerProgram(accounts("group", "change", "changed-group-account", "groupmod", "gpasswd", "groupmems"))
	_ = registerProgram(accounts("group", "deletion", "deleted-group-account", "groupdel", "delgroup"))
	_ = registerProgram(accounts("user", "change", "password-changed", "passwd", "chpasswd", "chgpasswd"))
)

func accounts(object, typ, action string, names ...string) program {
	return program{Names: names, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
		return decodeAccount(m.Text, object, typ, action, b)
	}}
}

// decodeAccount: these programs log what they did, and failures in words that say so.
func decodeAccount(s, object, typ, action string, b *event.Batch) bool {
	outcome := "success"
	for _, w := range [...]string{"fail", "can't", "cannot", "error", "denied", "already", "invalid", "is currently", "not authorized"} {
		if strings.Contains(s, w) {
			outcome = "failure"
			break
		}
	}
	understood := accountNames(s, &action, b)
	b.Add("event.category", "iam")
	if !understood && outcome == "success" && typ == "change" { // what is not known to be done is not said to be
		b.Add("event.type", "info")
		return false
	}
	b.Add("event.type", object)
	b.Add("event.type", typ)
	b.Add("event.action", action)
	b.Add("event.outcome", outcome)
	return understood
}

// accountNames adds whom and what a message is about, and may know a better action.
func accountNames(s string, action *string, b *event.Batch) bool {
	head, rest, _ := strings.Cut(s, " ")
	switch {
	case strings.HasPrefix(s, "new user: "), strings.HasPrefix(s, "new group: "):
		_, rest, _ = strings.Cut(s, ": ")
		accountPairs(rest, head == "new" && s[4] == 'g', b)
		return true
	case strings.HasPrefix(s, "group added to "), strings.HasPrefix(s, "group changed in "), strings.HasPrefix(s, "group deleted "):
		// "group added to /etc/group: name=web, GID=1003"
		// groupmod: "group changed in /etc/group (group web/1003, new name: www)"
		file, pairs, ok := strings.Cut(s, ": ")
		if head, details, mod := strings.Cut(s, " (group "); mod {
			file, pairs, ok = head, "", true
			name, changes, _ := strings.Cut(strings.TrimSuffix(details, ")"), ", ")
			name, id, _ := strings.Cut(name, "/")
			b.Add("group.name", name)
			b.Add("group.id", id)
			for change := range strings.SplitSeq(changes, ", ") {
				if to, ok := strings.CutPrefix(change, "new name: "); ok {
					b.Add("group.changes.name", to)
				} else if to, ok := strings.CutPrefix(change, "new gid: "); ok {
					b.Add("group.changes.id", to)
				}
			}
		}
		if ok {
			b.Add("file.path", file[strings.LastIndexByte(file, ' ')+1:])
			accountPairs(pairs, true, b)
		}
		return true
	case strings.HasPrefix(s, "group '"): // groupdel: "group 'web' removed from /etc/group"
		name, what, _ := strings.Cut(s[len("group '"):], "'")
		b.Add("group.name", name)
		if file, ok := strings.CutPrefix(what, " removed from "); ok {
			b.Add("file.path", file)
		}
		return true
	case strings.HasPrefix(s, "failed adding user "), strings.HasPrefix(s, "failed adding group "):
		name, why, _ := strings.Cut(s[strings.Index(s, "'")+1:], "'")
		if s[len("failed adding ")] == 'u' {
			b.Add("user.name", name)
		} else {
			b.Add("group.name", name)
		}
		b.Add("event.reason", strings.TrimPrefix(why, ", "))
		return true
	case strings.HasPrefix(s, "change GID for '"), strings.HasPrefix(s, "change gid for '"): // groupmod: "change GID for 'web' to 1011"
		name, id, _ := strings.Cut(s[len("change GID for '"):], "' to ")
		b.Add("group.name", name)
		b.Add("group.changes.id", id)
		return true
	case head == "add" || head == "delete" || head == "change" || head == "lock" || head == "unlock":
		return accountChange(head, rest, action, b)
	case strings.HasPrefix(s, "remove") && strings.Contains(s, "group '"): // "removed group 'web' owned by 'alice'"
		_, name, _ := strings.Cut(s, "group '")
		group, owner, _ := strings.Cut(name, "'")
		b.Add("group.name", group)
		if _, user, ok := strings.Cut(owner, "owned by '"); ok {
			b.Add("user.name", strings.TrimSuffix(user, "'"))
		}
		*action = "deleted-group-account"
		return true
	case strings.HasPrefix(s, "user ") && (strings.Contains(s, " added by ") || strings.Contains(s, " removed by ")): // gpasswd: "user bob added by root to group sudo"
		user, rest, _ := strings.Cut(s[len("user "):], " ")
		verb, rest, _ := strings.Cut(rest, " by ")
		actor, group, _ := strings.Cut(rest, " group ")
		actor, _, _ = strings.Cut(actor, " ")
		b.Add("user.name", actor)
		b.Add("user.target.name", user)
		b.Add("group.name", group)
		*action = "group-user-added"
		if verb == "removed" {
			*action = "group-user-removed"
		}
		return true
	case strings.HasPrefix(s, "password of group "), strings.HasPrefix(s, "access to group "):
		// gpasswd: "password of group web changed by root", "… removed by root", "access to group web restricted by root"
		_, rest, _ := strings.Cut(s, " group ")
		what, actor, _ := cutLast(rest, " by ")
		group, _, _ := cutLast(what, " ")
		b.Add("group.name", group)
		b.Add("user.name", actor)
		return true
	case strings.HasPrefix(s, "members of group "), strings.HasPrefix(s, "administrators of group "): // "members of group web set by root to alice,bob"
		_, rest, _ := strings.Cut(s, " of group ")
		group, rest, _ := strings.Cut(rest, " set by ")
		actor, members, _ := strings.Cut(rest, " to ")
		b.Add("group.name", group)
		b.Add("user.name", actor)
		for m := range strings.SplitSeq(members, ",") {
			b.Add("user.target.name", m)
		}
		return true
	case strings.HasPrefix(s, "changed password expiry for "), strings.HasPrefix(s, "changed user '"), strings.HasPrefix(s, "changed shell for "):
		name := s[strings.LastIndex(s, " for ")+len(" for "):]
		if i := strings.Index(s, "'"); i >= 0 {
			var rest string
			name, rest, _ = strings.Cut(s[i+1:], "'")
			if shell, ok := strings.CutPrefix(rest, " shell to '"); ok {
				b.Add("system.auth.useradd.shell", strings.TrimSuffix(shell, "'"))
			}
		}
		b.Add("user.name", unquote(name))
		return true
	case strings.HasPrefix(s, "changed password for user '"), strings.HasPrefix(s, "remove password aging of user '"): // chpasswd, chage
		_, name, _ := strings.Cut(s, "'")
		b.Add("user.name", strings.TrimSuffix(name, "'"))
		return true
	case strings.HasPrefix(s, "user ") && strings.Contains(s, " is currently "): // userdel: "user bob is currently used by process 812"
		name, why, _ := strings.Cut(s[len("user "):], " is currently ")
		b.Add("user.name", unquote(name))
		b.Add("event.reason", "is currently "+why)
		return true
	case strings.HasPrefix(s, "password for '"), strings.HasPrefix(s, "password for "): // passwd: "password for 'bob' changed by 'root'"
		name, by, _ := strings.Cut(strings.TrimPrefix(s[len("password for "):], "user "), " changed by ")
		b.Add("user.target.name", unquote(name))
		b.Add("user.name", unquote(by))
		return true
	case strings.HasPrefix(s, "password changed for "):
		name, by, _ := strings.Cut(s[len("password changed for "):], " by ")
		b.Add("user.target.name", unquote(strings.TrimRight(name, ",")))
		if by == "" {
			by = name
		}
		b.Add("user.name", unquote(by))
		return true
	case strings.HasPrefix(s, "shadow group ") && strings.Contains(s, "'"):
		name, _, _ := strings.Cut(s[strings.Index(s, "'")+1:], "'")
		b.Add("group.name", name)
		return true
	}
	return false
}

// accountChange: "add 'bob' to group 'sudo'", "add 'bob' to shadow group 'sudo'", "delete
// 'bob' from group 'sudo'", "delete user 'bob'", "change user 'bob' shell from 'A' to 'B'",
// "change user name 'bob' to 'rob'", "lock user 'bob' password".
func accountChange(verb, s string, action *string, b *event.Batch) bool {
	what, rest, ok := strings.Cut(s, "'")
	if !ok {
		return false
	}
	name, rest, ok := strings.Cut(rest, "'")
	if !ok {
		return false
	}
	if strings.HasPrefix(what, "group") {
		b.Add("group.name", name)
		return true
	}
	b.Add("user.name", name)
	switch {
	case verb == "lock":
		*action = "locked-user-account"
	case verb == "unlock":
		*action = "unlocked-user-account"
	case strings.Contains(rest, "group '"):
		_, group, _ := strings.Cut(rest, "group '")
		b.Add("group.name", strings.TrimSuffix(group, "'"))
		*action = "group-member-added"
		if verb == "delete" {
			*action = "group-member-removed"
		}
	case strings.HasPrefix(rest, " to '"):
		b.Add("user.changes.name", strings.TrimSuffix(rest[len(" to '"):], "'"))
	case strings.HasPrefix(rest, " password"):
		*action = "password-changed"
	case strings.HasPrefix(rest, " shell from '"), strings.HasPrefix(rest, " home from '"), strings.HasPrefix(rest, " UID from '"), strings.HasPrefix(rest, " GID from '"):
		_, to, _ := cutLast(rest, " to '")
		to = strings.TrimSuffix(to, "'")
		switch rest[1] {
		case 's':
			b.Add("system.auth.useradd.shell", to)
		case 'h':
			b.Add("system.auth.useradd.home", to)
		case 'U':
			b.Add("user.changes.id", to)
		case 'G':
			b.Add("user.changes.group.id", to)
		}
	}
	return true
}

// accountPairs: "name=bob, UID=1001, GID=1003, home=/home/bob, shell=/bin/bash, from=/dev/pts/1".
func accountPairs(s string, group bool, b *event.Batch) {
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, ", ")
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		switch key {
		case "name":
			if group {
				b.Add("group.name", value)
			} else {
				b.Add("user.name", value)
			}
		case "UID":
			b.Add("user.id", value)
		case "GID":
			b.Add("group.id", value)
		case "home":
			b.Add("system.auth.useradd.home", value)
		case "shell":
			b.Add("system.auth.useradd.shell", value)
		case "from":
			b.Add("process.tty.name", value)
		}
	}
}
