package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// OpenSSH's server in its messages of versions 3 to 10 (auth.c auth_log, packet.c,
// sshd.c, auth2.c, session.c). Since 9.8 the listener, the session and the
// pre-authentication process log under names of their own.
//
// Whoever connects chooses the user name, and it may hold anything, be it
// " from 192.0.2.1 port 22 ssh2". So addresses are read from the end of a message,
// where the server's own words are, and where even that is open to doubt there is no
// source.ip but an error.message.
var _ = registerProgram(program{
	Names:   []string{"sshd", "sshd-session", "sshd-auth", "sshd-keygen-wrapper", "internal-sftp", "sftp-server"},
	Dataset: datasetAuth,
	Decode:  decodeSSHD,
})

func decodeSSHD(m *message, b *event.Batch) bool {
	level, s := sshWords(m.Text)
	b.Add("log.level", level)
	return sshdPhrases.decode(m, s, b)
}

// sshWords takes off what sshd puts around a message: "error: ", " [preauth]".
func sshWords(s string) (level, words string) {
	for _, l := range [...]string{"error", "fatal", "debug1", "debug2", "debug3"} {
		if rest, ok := strings.CutPrefix(s, l); ok && strings.HasPrefix(rest, ": ") {
			level, s = l, rest[2:]
			break
		}
	}
	s = strings.TrimSuffix(s, " [preauth]")
	return level, strings.TrimSuffix(s, " [postauth]")
}

var sshdPhrases = newPhraseBook(
	phrase{"Accepted key ", sshAcceptedKey},
	phrase{"Accepted certificate ID ", sshAcceptedCertificate},
	phrase{"Accepted ", sshAccepted},
	phrase{"Failed ", sshFailed},
	phrase{"Postponed ", sshPostponed},
	phrase{"Partial ", sshPostponed},
	phrase{"Invalid user ", sshInvalidUser},
	phrase{"Illegal user ", sshInvalidUser},
	phrase{"input_userauth_request: invalid user ", sshUnknownUser},
	phrase{"input_userauth_request: illegal user ", sshUnknownUser},
	phrase{"maximum authentication attempts exceeded for ", sshTooMany},
	phrase{"Too many authentication failures for ", sshTooMany},
	phrase{"Too many authentication failures", sshTooManyAnonymous},
	phrase{"PAM: ", sshPAM},
	phrase{"User ", sshNotAllowed},
	phrase{"Access denied for user ", sshAccessDenied},
	phrase{"userauth_pubkey: ", sshKeyRefused},
	phrase{"Certificate invalid: ", sshKeyRefused},
	phrase{"cert: Certificate invalid: ", sshKeyRefused},
	phrase{"Authentication key ", sshKeyRevoked},
	phrase{"ROOT LOGIN REFUSED FROM ", sshRootRefused},
	phrase{"Login restricted for ", sshRestricted},
	phrase{"Authentication tried for ", sshAuthenticationTried},
	phrase{"Authentication refused: ", sshAuthenticationRefused},

	phrase{"Connection closed by ", sshClosed},
	phrase{"Connection reset by ", sshClosed},
	phrase{"Disconnected from ", sshClosed},
	phrase{"Disconnecting: ", sshDisconnecting},
	phrase{"Disconnecting ", sshDisconnectingPeer},
	phrase{"Received disconnect from ", sshReceivedDisconnect},
	phrase{"Read error from remote host ", sshReadError},
	phrase{"Closing connection to ", sshClosed},
	phrase{"Timeout before authentication for ", sshTimeout},
	phrase{"Timeout, client not responding", sshIdle},

	phrase{"Connection from ", sshConnection},
	phrase{"Did not receive identification string from ", sshNoIdentification},
	phrase{"Bad protocol version identification ", sshBadProtocol},
	phrase{"Bad remote protocol version identification: ", sshAnonymousProtocolError},
	phrase{"Protocol major versions differ for ", sshProtocolError},
	phrase{"Magic value check failed ", sshTailProtocolError},
	phrase{"banner exchange: Connection from ", sshProtocolError},
	phrase{"ssh_dispatch_run_fatal: Connection from ", sshProtocolError},
	phrase{"ssh_dispatch_run_fatal: Connection to ", sshProtocolError},
	phrase{"Unable to negotiate with ", sshNegotiation},
	phrase{"Unable to negotiate ", sshNegotiationAnonymous},
	phrase{"no matching ", sshNegotiationAnonymous},
	phrase{"kex_exchange_identification: ", sshAnonymousProtocolError},
	phrase{"kex protocol error", sshAnonymousProtocolError},
	phrase{"Bad packet length ", sshAnonymousProtocolError},
	phrase{"Corrupted MAC on input", sshAnonymousProtocolError},
	phrase{"Read from socket failed", sshAnonymousProtocolError},
	phrase{"Write failed", sshAnonymousProtocolError},
	phrase{"message authentication code incorrect", sshAnonymousProtocolError},
	phrase{"reverse mapping checking getaddrinfo for ", sshReverseMapping},
	phrase{"Address ", sshAddressMaps},
	phrase{"Nasty PTR record ", sshNastyPTR},
	phrase{"refused connect from ", sshRefusedConnect},
	phrase{"drop connection #", sshDropped},
	phrase{"beginning MaxStartups throttling", sshThrottling},
	phrase{"exited MaxStartups throttling", sshThrottling},
	phrase{"srclimit_penalise: ", sshPenalty},
	phrase{"ssh_packet_", sshAnonymousProtocolError},
	phrase{"dispatch_protocol_error: ", sshAnonymousProtocolError},
	phrase{"Could not write ident string to ", sshProtocolError},

	phrase{"Starting session: ", sshSession},
	phrase{"Close session: user ", sshCloseSession},
	phrase{"subsystem request for ", sshSubsystem},
	phrase{"Transferred: sent ", sshTransferred},
	phrase{"connect_to ", sshForwardFailed},
	phrase{"refused local port forward: originator ", sshForwardRefused},
	phrase{"Received request from ", sshForwardDenied},
	phrase{"session opened for local user ", sftpOpened},
	phrase{"session closed for local user ", sftpClosed},
	phrase{"open \"", sftpOpen},
	phrase{"close \"", sftpClose},
	phrase{"forced close \"", sftpClose},
	phrase{"opendir \"", sftpOn("file", "access", "sftp_opendir")},
	phrase{"closedir \"", sftpOn("file", "access", "sftp_closedir")},
	phrase{"remove name \"", sftpOn("file", "deletion", "sftp_remove")},
	phrase{"rmdir name \"", sftpOn("file", "deletion", "sftp_rmdir")},
	phrase{"mkdir name \"", sftpOn("file", "creation", "sftp_mkdir")},
	phrase{"set \"", sftpOn("file", "change", "sftp_setstat")},
	phrase{"rename old \"", sftpRename},
	phrase{"posix-rename old \"", sftpRename},
	phrase{"symlink old \"", sftpLink},
	phrase{"hardlink old \"", sftpLink},
	phrase{"Server listening on ", sshListening},
	phrase{"Received SIGHUP; restarting", sshRestarting},
	phrase{"Received signal ", sshStopped},
	phrase{"Exiting on signal ", sshStopped},
)

// sshLogin is the tail of an attempt:
//
//	[invalid user ]USER from ADDRESS port N ssh2[: KEY]
//
// KEY is "ED25519 SHA256:…", or for a certificate and for hostbased holds words the
// client chose.
type sshLogin struct {
	user, address, port, key string
	invalid                  bool
	doubt                    bool // more than one reading
}

func (l *sshLogin) parse(s string) bool {
	const mark = " ssh2: "
	core, ok := cutProtocol(s)
	if ok && l.peer(core) {
		return l.done()
	}
	if i := strings.LastIndex(s, mark); i >= 0 {
		key := s[i+len(mark):]
		if strings.Count(key, " ") == 1 && l.peer(s[:i]) { // type and fingerprint, no room for tricks
			l.key = key
			return l.done()
		}
	}
	found := 0
	for from := 0; ; {
		i := strings.Index(s[from:], mark)
		if i < 0 {
			break
		}
		i += from
		from = i + len(mark)
		var try sshLogin
		if try.peer(s[:i]) {
			if found++; found == 1 {
				try.key = s[from:]
				*l = try
			}
		}
	}
	l.doubt = found > 1
	return found > 0 && l.done()
}

// cutProtocol takes " ssh2" off; OpenSSH before 7.4 also wrote ssh1 and "ssh".
func cutProtocol(s string) (string, bool) {
	for _, p := range [...]string{" ssh2", " ssh1", " ssh"} {
		if core, ok := strings.CutSuffix(s, p); ok {
			return core, true
		}
	}
	return s, false
}

// peer reads "USER from ADDRESS port N".
func (l *sshLogin) peer(s string) bool {
	head, address, port, ok := cutPeer(s)
	if !ok {
		return false
	}
	l.user, ok = strings.CutSuffix(head, " from ")
	l.address, l.port = address, port
	return ok
}

// done takes what sshd says of an unknown user off the name.
func (l *sshLogin) done() bool {
	for _, p := range [...]string{"invalid user ", "illegal user "} {
		if user, ok := strings.CutPrefix(l.user, p); ok {
			l.user, l.invalid = user, true
			break
		}
	}
	return true
}

func (l *sshLogin) add(kind, method string, b *event.Batch) {
	b.Add("system.auth.ssh.event", kind)
	b.Add("system.auth.ssh.method", method)
	b.Add("system.auth.ssh.signature", l.key)
	if l.invalid {
		b.AddBool("system.auth.ssh.invalid_user", true)
	}
	if l.doubt {
		b.Event().Err = "sshd: words the client chose leave user and source address open to doubt"
		return
	}
	b.Add("user.name", l.user)
	addSource(b, l.address, l.port)
}
