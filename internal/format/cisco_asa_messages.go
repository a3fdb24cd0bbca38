package format

import (
	"strconv"
	"strings"
)

// asaMessages are the messages by their ID, with the shapes of their texts. Every
// family that says who talked to whom, who logged in and what was refused is here;
// of other IDs the addresses in the text are recognised.
var asaMessages = func() map[string]*asaMessage {
	t := map[string]*asaMessage{}
	add := func(ids string, m asaMessage, patterns ...string) {
		for _, p := range patterns {
			m.patterns = append(m.patterns, newASAPattern(p))
		}
		if m.category == "" {
			m.category = "network"
		}
		for len(ids) >= 6 {
			t[ids[:6]] = &m
			ids = ids[min(len(ids), 7):]
		}
	}
	denied := asaMessage{action: "firewall-rule", types: "connection denied", outcome: "success"}
	inbound := denied
	inbound.direction = "inbound"
	icmp, icmp6 := denied, denied
	icmp.proto, icmp6.proto = "icmp", "ipv6-icmp"
	noted := asaMessage{action: "firewall-rule", types: "info"}
	created := asaMessage{action: "flow-creation", types: "connection start", outcome: "success"}
	expired := asaMessage{action: "flow-expiration", types: "connection end", outcome: "success"}

	// Access lists and the checks before them.
	add("106001", inbound, "Inbound {proto} connection denied from {S} to {D} flags {tcp_flags} on interface {in}")
	add("106002", denied, "{proto} Connection denied by {direction} list {list_id} src {src} dest {dst}")
	add("106006", inbound, "Deny inbound {proto} from {S} to {D} on interface {in}")
	add("106007", inbound, "Deny inbound {proto} from {S} to {D} due to {event.reason}")
	add("106010", inbound, "Deny inbound {proto} src {S} dst {D}{_}")
	add("106011", denied, "Deny inbound (No xlate) {proto} src {S} dst {D}{_}")
	add("106012", denied, "Deny IP from {src} to {dst}, IP options {_}")
	add("106014", icmp, "Deny {direction} icmp src {S} dst {D} {tail}")
	add("106015", denied, "Deny {proto} (no connection) from {S} to {D} flags {tcp_flags} on interface {in}")
	add("106016", denied, "Deny IP spoof from ({src}) to {dst} on interface {in}")
	add("106017", denied, "Deny IP due to Land Attack from {src} to {dst}")
	add("106018", denied, "{proto} packet type {icmp_type} denied by outbound list {list_id} src {src} dest {dst}")
	add("106020", denied, "Deny IP teardrop fragment (size = {_}, offset = {_}) from {src} to {dst}")
	add("106021", denied, "Deny {proto} reverse path check from {src} to {dst} on interface {in}")
	add("106022", denied, "Deny {proto} connection spoof from {src} to {dst} on interface {in}")
	add("106023", denied, "Deny protocol {proto} src {S} dst {D} {tail}", "Deny {proto} src {S} dst {D} {tail}")
	add("106027", denied, "Deny src {src} dst {dst} by access-group \"{rule_name}\"{_}")
	add("106100", denied, "access-list {rule_name} {verdict} {proto} {S} -> {D} {_}")
	add("106102 106103", denied, "access-list {rule_name} {verdict} {proto} for user {user.name} {S} -> {D} {_}")
	add("313001", icmp, "Denied ICMP type={icmp_type}, code={icmp_code} from {src} on interface {in}")
	add("313004", icmp, "Denied ICMP type={icmp_type}, from laddr {src} on interface {in} to {dst}: {_}", "Denied ICMP type={icmp_type}, from {src} on interface {in} to {dst}: {_}")
	add("313005", icmp, "No matching connection for ICMP error message: {_} src {source_interface}:{icmp_source} dst {destination_interface}:{icmp_destination} (type {icmp_type}, code {icmp_code}) on {_} interface.{_}Original IP payload: {_} src {S} dst {D}")
	add("313008", icmp6, "Denied IPv6-ICMP type={icmp_type}, code={icmp_code} from {src} on interface {in}")
	add("313009", icmp, "Denied invalid ICMP code {icmp_code}, for {S} to {D}, {_}")
	add("400000 400007 400008 400009 400010 400011 400014 400023 400024 400025 400026 400027 400028 400031 400032 400033 400034 400035 400041 400050",
		asaMessage{action: "intrusion-detected", category: "intrusion_detection network", types: "info"}, "IPS:{rule.id} {rule.name} from {src} to {dst} on interface {in}", "IDS:{rule.id} {rule.name} from {src} to {dst} on interface {in}")
	add("401004", noted, "Shunned packet: {src} ==> {dst} on interface {in}")
	add("402117 402119", denied, "IPSEC: Received a{_} IPSec packet (SPI= {spi}, sequence number= {_}) from {src} (user= {user}) to {dst} {_}", "IPSEC: Received a non-IPSec packet (protocol= {proto}) from {src} to {dst}{_}")
	add("410001", denied, "Dropped {proto} DNS {_} from {S} to {D}; {event.reason}")
	add("419002", denied, "Duplicate TCP SYN from {S} to {D} with different initial sequence number{_}")
	add("500004", noted, "Invalid transport field for protocol={proto}, from {S} to {D}")
	add("710001 710002", asaMessage{action: "firewall-rule", types: "connection allowed", outcome: "success"}, "{proto} access {_} from {S} to {D}")
	add("710003", denied, "{proto} access denied by ACL from {S} to {D}")
	add("710005", denied, "{proto} request discarded from {S} to {D}")
	add("733100", asaMessage{action: "threat-detected", types: "info"}, "[{observer.ingress.interface.name}] drop rate-{_} exceeded. {event.reason}")
	add("733101 733102", asaMessage{action: "threat-detected", category: "intrusion_detection network", types: "info"}, "Host {src} is {event.reason}", "Threat-detection adds host {src} to shun list{_}")

	// Connections and translations.
	add("302013 302015 302303", created, "Built {direction} {proto} connection {connection_id} for {S} to {D} {tail}", "Built {direction} {proto} connection {connection_id} for {S} to {D}",
		"Built {proto} state-bypass connection {connection_id} from {S} to {D}{tail}")
	add("302014 302016 302304", expired, "Teardown {proto} connection {connection_id} for {S} to {D} {tail}", "Teardown {proto} state-bypass connection {connection_id} from {S} to {D} {tail}",
		"Teardown {proto} connection {connection_id} for {S} {source_user} to {D} {destination_user} duration {duration} bytes {bytes}")
	flow := created
	flow.proto = "icmp"
	add("302020", flow, "Built {direction} ICMP connection for faddr {D} gaddr {gaddr} laddr {S} {tail}", "Built {direction} ICMP connection for faddr {D} gaddr {gaddr} laddr {S}", "Built ICMP connection for faddr {D} gaddr {gaddr} laddr {S}{tail}")
	flow = expired
	flow.proto = "icmp"
	add("302021", flow, "Teardown ICMP connection for faddr {D} gaddr {gaddr} laddr {S} {tail}", "Teardown ICMP connection for faddr {D} gaddr {gaddr} laddr {S}")
	add("302017", created, "Built {direction} {proto} connection {connection_id} from {S} to {D}{_}")
	add("302018", expired, "Teardown {proto} connection {connection_id} from {S} to {D} {tail}")
	add("302022 302024 302026", created, "Built {_} stub {proto} connection for {S} to {D}")
	add("302023 302025 302027", expired, "Teardown {_} stub {proto} connection for {S} to {D} duration {duration} {_}")
	add("303002", asaMessage{action: "ftp-transfer", category: "network file", types: "connection access"}, "FTP connection from {S} to {D}, user {user} {event.reason} file {file.name}")
	add("303003", asaMessage{action: "ftp-denied", category: "network file", types: "connection denied"}, "FTP {event.reason} command denied - failed strict inspection, terminating connection from {S} to {D}")
	add("304001", asaMessage{action: "url-access", types: "access allowed", outcome: "success"}, "{accessor} Accessed {urlkind} {dst}:{url}")
	add("304002", asaMessage{action: "url-access", types: "access denied", outcome: "success"}, "Access denied URL {url} SRC {src} DEST {dst} on interface {in}", "Access denied URL {url} SRC {src} DEST {dst}: {_}")
	add("305005", noted, "No translation group found for {proto} src {S} dst {D} {tail}", "No translation group found for {proto} src {S} dst {D}")
	add("305006", noted, "{translation_type} translation creation failed for {proto} src {S} dst {D} {tail}", "{translation_type} translation creation failed for {proto} src {S} dst {D}")
	slot := asaMessage{action: "nat-slot", category: "network configuration", types: "creation", outcome: "success"}
	add("305009", slot, "Built {_} translation from {S} to {D}")
	add("305011", slot, "Built {_} {proto} translation from {S} to {D}")
	slot.types = "deletion"
	add("305010", slot, "Teardown {_} translation from {S} to {D} duration {duration}")
	add("305012", slot, "Teardown {_} {proto} translation from {S} to {D} duration {duration}")
	add("305013", noted, "Asymmetric NAT rules matched for forward and reverse flows; Connection for {proto} src {S} dst {D} denied due to {event.reason}")
	add("210007", noted, "LU allocate xlate failed for {translation_type} {proto} translation from {S} to {D}")
	add("338001 338002 338003 338004 338005 338006 338007 338008 338101 338102 338103 338104 338201 338202 338203 338204", asaMessage{action: "dynamic-filter", types: "connection denied", outcome: "success"},
		"Dynamic {_}ilter {verdict} {_} {proto} traffic from {S} to {D}, {_} resolved from {_} list: {list}, threat-level: {threat_level}, category: {threat_category}",
		"Dynamic {_}ilter {verdict} {_}listed {proto} traffic from {S} to {D}, {_} resolved from {_} list: {list}")
	add("852001 852002", noted, "Received Lightweight to Full Proxy event from application {network.application} for {proto} flow {S} to {D}", "Received Full Proxy to Lightweight event from application {network.application} for {proto} flow {S} to {D}")
	add("110002 110003", noted, "{event.reason} for {proto} from {S} to {D}")

	add("108004", denied, "ESMTP Classification: {event.reason} from {S} to {D};{_}", "ESMTP Classification: {event.reason} from {S} to {D}")
	add("201010 202010", denied, "PAT pool exhausted. Unable to create {proto} connection from {S} to {D}", "Embryonic connection limit exceeded {_} for {direction} packet from {S} to {D} on interface {in}")
	add("209005", denied, "Discard IP fragment set with more than {_} elements:  src = {src}, dest = {dst}, proto = {proto},{_}")
	add("418001", denied, "Through-the-device packet to/from management-only network is denied: {proto} src {S} dst {D}")
	add("420002 420003 434002 434003", denied, "IPS requested to {_} {proto} packet from {S} to {D}", "IPS requested to {_} {proto} connection from {S} to {D}", "SFR requested to {_} {proto} packet from {S} to {D}")
	add("421001 421002 421007", noted, "{proto} flow from {S} to {D} {event.reason}")
	add("500003", denied, "Bad TCP hdr length (hdrlen={_}, pktlen={_}) from {S} to {D}, flags: {tcp_flags}, on interface {in}")
	add("710004", denied, "{proto} connection limit exceeded from {S} to {D} {_}")
	add("405001", asaMessage{action: "arp-collision", types: "info"}, "Received ARP {_} collision from {src}/{_} on interface {in} with existing ARP entry{_}")
	add("111002 111003", asaMessage{action: "configuration", category: "configuration", types: "change", outcome: "success"}, "Begin configuration: {src} reading from {event.reason}", "{src} Erase configuration")

	add("609001 609002", noted, "Built local-host {_}:{src}", "Teardown local-host {_}:{src} duration {duration}")
	add("725001 725002 725003 725007", noted, "Starting SSL handshake with {_} {S} to {D} for {_} session", "Device completed SSL handshake with {_} {S} to {D} for {_} session",
		"SSL client {S} to {D} request to resume previous session", "SSL session with {_} {S} to {D} terminated")
	ids := make([]string, 52) // the signatures of ip audit, 400000 to 400051
	for i := range ids {
		ids[i] = strconv.Itoa(400000 + i)
	}
	add(strings.Join(ids, " "), asaMessage{action: "threat-detected", category: "intrusion_detection network", types: "info"},
		"IPS:{signature_id} {event.reason} from {src} to {dst} on interface {in}", "IDS:{signature_id} {event.reason} from {src} to {dst} on interface {in}")

	// People: logins, commands, VPN.
	login := asaMessage{action: "logon-succeeded", category: "authentication network", types: "start info", outcome: "success"}
	failed := asaMessage{action: "logon-failed", category: "authentication network", types: "denied info", outcome: "failure"}
	add("109005", login, "Authentication succeeded for user '{user}' from {S} to {D} on interface {in}", "Authentication succeeded for user {user} from {S} to {D} on interface {in}")
	add("109006", failed, "Authentication failed for user '{user}' from {S} to {D} on interface {in}", "Authentication failed for user {user} from {S} to {D} on interface {in}")
	add("109007", asaMessage{action: "authorization", category: "authentication network", types: "allowed", outcome: "success"}, "Authorization permitted for user {user} from {S} to {D} on interface {in}")
	add("109008 109025", asaMessage{action: "authorization", category: "authentication network", types: "denied", outcome: "failure"}, "Authorization denied for user {user} from {S} to {D} on interface {in}", "Authorization denied {_} for user '{user}' from {S} to {D} on interface {in}{_}")
	add("113004 113012", login, "AAA user {_} Successful : server = {dst} : user = {user}", "AAA user {_} Successful : local database : user = {user}")
	add("113008", login, "AAA transaction status ACCEPT : user = {user}")
	add("113005", failed, "AAA user {_} Rejected : reason = {rejection_reason} : server = {dst} : user = {user} : user IP = {src}", "AAA user {_} Rejected : reason = {rejection_reason} : server = {dst} : user = {user}")
	add("113015", failed, "AAA user {_} Rejected : reason = {rejection_reason} : local database : user = {user} : user IP = {src}", "AAA user {_} Rejected : reason = {rejection_reason} : local database : user = {user}")
	add("113006", asaMessage{action: "user-locked-out", category: "iam authentication", types: "denied info", outcome: "failure"}, "User {user} locked out on exceeding {_} successive failed authentication attempts")
	add("113019", asaMessage{action: "client-vpn-disconnected", types: "connection end", outcome: "success"},
		"Group = {group}, Username = {user}, IP = {dst}, Session disconnected. Session Type: {session_type}, Duration: {duration}, Bytes xmt: {source.bytes}, Bytes rcv: {destination.bytes}, Reason: {event.reason}")
	add("113021", failed, "Attempted console login failed. User {user} did NOT have appropriate Admin Rights{_}")
	add("113022", asaMessage{action: "server-failed", types: "info", outcome: "failure"}, "AAA Marking {protocol} server {dst} in aaa-server group {_} as FAILED")
	add("113023", asaMessage{action: "server-active", types: "info", outcome: "success"}, "AAA Marking {protocol} server {dst} in aaa-server group {_} as ACTIVE")
	vpnError := asaMessage{action: "client-vpn-error", types: "connection denied", outcome: "failure"}
	add("113029 113030 113031 113032 113033 113034 113035 113036 113038 113041", vpnError, "Group <{group}> User <{user}> IP <{src}> {event.reason}", "Group {group} User {user} IP {src} {event.reason}")
	add("113037", vpnError, "{event.reason}")
	add("113040", vpnError, "Terminating the VPN connection attempt from {group}. Reason: {event.reason}")
	add("113039", asaMessage{action: "client-vpn-connected", category: "network session", types: "connection start", outcome: "success"},
		"Group <{group}> User <{user}> IP <{src}> {event.reason}", "Group {group} User {user} IP {src} {event.reason}")
	add("113042", noted, "Non-HTTP connection from {S} to {D} denied by {event.reason}")
	add("716001 716038", asaMessage{action: "client-vpn-connected", category: "network session", types: "connection start", outcome: "success"}, "Group <{group}> User <{user}> IP <{src}> {event.reason}", "Group {group} User {user} IP {src} {event.reason}")
	add("716001", asaMessage{action: "client-vpn-connected", category: "network session", types: "connection start", outcome: "success"}, "Group <{group}> User <{user}> IP <{src}> {event.reason}")
	add("716038", login, "Group <{group}> User <{user}> IP <{src}> Authentication: successful, Session Type: {session_type}.")
	add("713049 713119 713120", asaMessage{action: "vpn-tunnel-created", types: "connection start", outcome: "success"}, "Group = {group}, Username = {user}, IP = {src}, {event.reason}", "Group = {group}, IP = {src}, {event.reason}")
	add("713050 713259", asaMessage{action: "vpn-tunnel-ended", types: "connection end"}, "Group = {group}, Username = {user}, IP = {src}, {event.reason}", "Group = {group}, IP = {src}, {event.reason}")
	add("716002", asaMessage{action: "client-vpn-disconnected", category: "network session", types: "connection end", outcome: "success"}, "Group <{group}> User <{user}> IP <{src}> {event.reason}", "Group {group} User {user} IP {src} {event.reason}")
	add("716039", failed, "Group <{group}> User <{user}> IP <{src}> {event.reason}", "Group {group} User {user} IP {src} {event.reason}")
	group := func(ids, types, outcome string) {
		add(ids, asaMessage{types: types, outcome: outcome}, "Group <{group}> User <{user}> IP <{src}> {event.reason}", "Group {group} User {user} IP {src} {event.reason}")
	}
	group("722011 722012 722010 722028 722029 722030 722031 722032 722035 722036 722041 722055", "info", "")
	group("722022", "connection info", "success")
	group("722034", "connection info", "")
	group("722023", "connection end", "success")
	group("722037", "connection end", "")
	group("722033", "connection start", "success")
	add("722051", asaMessage{action: "address-assigned", types: "connection info", outcome: "success"}, "Group <{group}> User <{user}> IP <{src}> {assigned}", "Group {group} User {user} IP {src} {assigned}")
	add("734001", asaMessage{action: "dap-selected", types: "info"}, "DAP: User {user}, Addr {src}, Connection {session_type}: {event.reason}")
	add("315011", asaMessage{action: "session-terminated", category: "session network", types: "end"}, "SSH session from {src} on interface {in} for user \"{user}\" {_} by SSH server, reason: {event.reason}", "SSH session from {src} on interface {in} for user {user} {_} by SSH server, reason: {event.reason}")
	add("605004", failed, "Login denied from {S} to {D} for user \"{user}\"")
	add("605005", login, "Login permitted from {S} to {D} for user \"{user}\"")
	add("611101", login, "User authentication succeeded: IP address: {src}, Uname: {user}", "User authentication succeeded: Uname: {user}")
	add("611102", failed, "User authentication failed: IP address: {src}, Uname: {user}", "User authentication failed: Uname: {user}")
	add("611103", asaMessage{action: "logged-out", category: "authentication network", types: "info", outcome: "success"}, "User logged out: Uname: {user.name}")
	add("606001", login, "ASDM session number {_} from {src} started")
	add("606002", asaMessage{action: "logged-out", category: "session network", types: "end", outcome: "success"}, "ASDM session number {_} from {src} ended")
	add("111001 111004 111005 111007", asaMessage{action: "configuration", category: "configuration", types: "info", outcome: "success"}, "Begin configuration: {src} reading from {event.reason}", "Begin configuration: {src} writing to {event.reason}", "{src} end configuration: {event.reason}")
	command := asaMessage{action: "command-executed", category: "configuration", types: "change", outcome: "success"}
	add("111008", command, "User '{user}' executed the '{command_line_arguments}' command.", "User {user} executed the {command_line_arguments} command.")
	add("111009", asaMessage{action: "command-executed", category: "configuration", types: "access", outcome: "success"}, "User '{user}' executed cmd: {command_line_arguments}")
	add("111010", command, "User '{user}', running '{network.application}' from IP {src}, executed '{command_line_arguments}'")
	add("502101 502102", asaMessage{action: "user-changed", category: "iam configuration", types: "user change", outcome: "success"}, "New user added to local dbase: Uname: {user.target.name} {_}", "User deleted from local dbase: Uname: {user.target.name} {_}")
	add("502103", asaMessage{action: "privilege-changed", category: "iam", types: "admin change", outcome: "success"}, "User priv level changed: Uname: {user} {_}")
	add("308001", failed, "Console enable password incorrect for {_} tries (from {src})", "{_} console enable password incorrect for {_} tries (from {src})")
	add("425005", asaMessage{action: "interface-switchover", types: "info", outcome: "success"}, "Interface {interface_name} become active in redundant interface {redundant_interface_name}")
	add("602303", asaMessage{action: "sa-created", types: "connection start", outcome: "success"}, "IPSEC: An {direction} {tunnel_type} SA (SPI= {spi}) between {src} and {dst} (user= {user}) has been created.")
	add("602304", asaMessage{action: "sa-deleted", types: "connection end", outcome: "success"}, "IPSEC: An {direction} {tunnel_type} SA (SPI= {spi}) between {src} and {dst} (user= {user}) has been deleted.")
	return t
}()
