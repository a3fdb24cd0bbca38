package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Tables that services and query engines export of an audit log: the columns are the names of the log's records, whole
// or in another spelling (Athena writes all in lower case, CloudTrail's event history as words). A row is read as the
// record that it was: Okta's System Log, GitHub's audit log, CloudTrail of Athena and of the console.
type cloudTable struct {
	format *Format
	paths  []string // of the columns
	blind  bool     // it lacks the column that says whether a call failed
}

var cloudTables = [...]struct {
	format string
	paths  map[string]string // by the plain spelling of a column
}{
	{"aws.cloudtrail", plainPaths(map[string]string{"username": "userIdentity.userName", "awsaccesskey": "userIdentity.accessKeyId"},
		"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage",
		"requestParameters", "responseElements", "additionalEventData", "requestID", "eventID", "readOnly", "resources", "eventType", "apiVersion",
		"recipientAccountId", "serviceEventDetails", "sharedEventID", "vpcEndpointId", "managementEvent", "eventCategory", "tlsDetails")},
	{"okta.system", plainPaths(map[string]string{"timestamp": "published"},
		"uuid", "published", "eventType", "legacyEventType", "version", "displayMessage", "severity",
		"actor.id", "actor.type", "actor.alternateId", "actor.displayName",
		"client.userAgent.rawUserAgent", "client.userAgent.os", "client.userAgent.browser", "client.zone", "client.device", "client.id", "client.ipAddress",
		"client.geographicalContext.city", "client.geographicalContext.state", "client.geographicalContext.country", "client.geographicalContext.postalCode",
		"client.geographicalContext.geolocation.lat", "client.geographicalContext.geolocation.lon",
		"outcome.result", "outcome.reason",
		"target0.id", "target0.type", "target0.alternateId", "target0.displayName", "target1.id", "target1.type", "target1.alternateId", "target1.displayName",
		"target2.id", "target2.type", "target2.alternateId", "target2.displayName",
		"transaction.id", "transaction.type", "securityContext.asNumber", "securityContext.asOrg", "securityContext.isp",
		"securityContext.domain", "securityContext.isProxy", "authenticationContext.authenticationProvider", "authenticationContext.credentialProvider",
		"authenticationContext.credentialType", "authenticationContext.externalSessionId", "authenticationContext.authenticationStep",
		"debugContext.debugData.requestUri", "debugContext.debugData.requestId", "debugContext.debugData.threatSuspected", "debugContext.debugData.url")},
	{"github.audit", plainPaths(nil,
		"action", "actor", "actor_id", "actor_ip", "actor_location.country_code", "created_at", "@timestamp", "org", "org_id", "business", "repo", "repository", "team",
		"user", "user_id", "user_agent", "_document_id", "visibility", "external_identity_nameid")},
}

// plainPaths are paths by their plain spelling, beside those that have another name.
func plainPaths(also map[string]string, paths ...string) map[string]string {
	m := make(map[string]string, len(paths)+len(also))
	for name, path := range also {
		m[name] = path
	}
	for _, path := range paths {
		m[plainColumn(path)] = path
	}
	return m
}

// plainColumn is a column's name in lower case without what parts its words.
func plainColumn(s string) string {
	return strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(s))
}

// cloudTableOf is the log that a table of these columns is of, nil for none.
func cloudTableOf(columns []string) *cloudTable {
	for i := range cloudTables {
		log := &cloudTables[i]
		f := Lookup(log.format)
		paths, seen := make([]string, len(columns)), map[string]bool{}
		for j, c := range columns {
			path := log.paths[plainColumn(c)]
			if path == "" || seen[path] {
				path = c
			}
			paths[j], seen[path] = path, true
		}
		if f != nil && f.JSON(func(path string) bool { return seen[path] }) {
			return &cloudTable{f, paths, log.format == "aws.cloudtrail" && !seen["errorCode"]}
		}
	}
	return nil
}

// record is a row as the object that it was, each member under its whole path.
func (t *cloudTable) record(dst []byte, fields []string) []byte {
	dst = append(dst, '{')
	for i, v := range fields[:min(len(fields), len(t.paths))] {
		path := t.paths[i]
		switch {
		case v == "" || isTarget(path):
			continue
		case path == "userIdentity" && v[0] == '{' && !strings.HasPrefix(v, `{"`):
			dst, _ = appendStruct(dst, v[1:], path, 0)
			continue
		}
		dst = append(event.AppendQuoted(dst, path), ':')
		if strings.HasPrefix(v, `{"`) || strings.HasPrefix(v, `[{"`) {
			dst = append(dst, v...)
		} else {
			dst = event.AppendQuoted(dst, v)
		}
		dst = append(dst, ',')
	}
	dst = t.targets(dst, fields)
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// targets appends what stands in columns "target0.id", "target0.alternateId", "target1.id", …, as the array that it was.
func (t *cloudTable) targets(dst []byte, fields []string) []byte {
	last := ""
	for i, v := range fields[:min(len(fields), len(t.paths))] {
		if v == "" || !isTarget(t.paths[i]) {
			continue
		}
		target, name, _ := strings.Cut(t.paths[i], ".")
		switch {
		case last == "":
			dst = append(dst, `"target":[{`...)
		case last != target:
			dst = append(dst, "},{"...)
		default:
			dst = append(dst, ',')
		}
		last = target
		dst = append(event.AppendQuoted(dst, name), ':')
		dst = event.AppendQuoted(dst, v)
	}
	if last != "" {
		dst = append(dst, "}],"...)
	}
	return dst
}

// isTarget: "target0.alternateId".
func isTarget(path string) bool {
	number, _, ok := strings.Cut(strings.TrimPrefix(path, "target"), ".")
	return ok && strings.HasPrefix(path, "target") && len(number) < 3 && isDigits(number)
}

// identityNames are the members of userIdentity, which Athena has in lower case.
var identityNames = plainPaths(nil, "type", "principalId", "arn", "accountId", "invokedBy", "accessKeyId", "userName", "sessionContext", "attributes",
	"mfaAuthenticated", "creationDate", "sessionIssuer", "identityProvider", "webIdFederationData", "federatedProvider", "onBehalfOf", "userId", "identityStoreArn", "credentialId")

// appendStruct appends the members of a row as Athena prints it, "type=Role, sessioncontext={attributes=null}}", and
// returns what is behind its bracket.
func appendStruct(dst []byte, s, path string, depth int) ([]byte, string) {
	for {
		s = strings.TrimLeft(s, ", ")
		key, rest, ok := strings.Cut(s, "=")
		if i := strings.IndexByte(s, '}'); i >= 0 && (!ok || i < len(key)) {
			return dst, s[i+1:]
		}
		if !ok {
			return dst, ""
		}
		if name := identityNames[key]; name != "" {
			key = name
		}
		if strings.HasPrefix(rest, "{") && depth < maxCloudDepth {
			dst, s = appendStruct(dst, rest[1:], path+"."+key, depth+1)
			continue
		}
		end := strings.IndexByte(rest, '}')
		if comma := strings.Index(rest, ", "); comma >= 0 && (end < 0 || comma < end) {
			end = comma
		}
		if end < 0 {
			end = len(rest)
		}
		if v := rest[:end]; v != "" && v != "null" {
			dst = append(event.AppendQuoted(dst, path+"."+key), ':')
			dst = append(event.AppendQuoted(dst, v), ',')
		}
		s = rest[end:]
	}
}
