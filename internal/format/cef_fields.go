package format

type cefKind uint8

const (
	cefString cefKind = iota
	cefNumber
	cefTime
	cefIP
	cefMAC
	cefDirection // 0 inbound, 1 outbound
	cefTransport
	cefMessage
	cefOutcome
	cefLower
	cefID   // a number that ECS has as a keyword
	cefHash // told by its length
)

// cefField is what an extension's key stands for; rank is how well a time tells when the event was.
type cefField struct {
	full, ecs string
	kind      cefKind
	rank      int
}

// cefFields are the keys of the dictionary (CEF revision 25, "Extension Dictionary"), under their short and
// their full names.
var cefFields = func() map[string]cefField {
	m := map[string]cefField{}
	add := func(short, full, ecs string, kind cefKind) {
		f := cefField{full: "cef.extensions." + full, ecs: ecs, kind: kind}
		m[short] = f
		if _, ok := m[full]; !ok {
			m[full] = f
		}
	}
	for _, f := range []struct {
		short, full, ecs string
		kind             cefKind
	}{
		{"act", "deviceAction", "event.action", cefString},
		{"app", "applicationProtocol", "network.protocol", cefLower},
		{"cat", "deviceEventCategory", "", cefString},
		{"cnt", "baseEventCount", "", cefNumber},
		{"c6a1", "deviceCustomIPv6Address1", "", cefString}, {"c6a1Label", "deviceCustomIPv6Address1Label", "", cefString},
		{"c6a2", "deviceCustomIPv6Address2", "", cefString}, {"c6a2Label", "deviceCustomIPv6Address2Label", "", cefString},
		{"c6a3", "deviceCustomIPv6Address3", "", cefString}, {"c6a3Label", "deviceCustomIPv6Address3Label", "", cefString},
		{"c6a4", "deviceCustomIPv6Address4", "", cefString}, {"c6a4Label", "deviceCustomIPv6Address4Label", "", cefString},
		{"cfp1", "deviceCustomFloatingPoint1", "", cefNumber}, {"cfp1Label", "deviceCustomFloatingPoint1Label", "", cefString},
		{"cfp2", "deviceCustomFloatingPoint2", "", cefNumber}, {"cfp2Label", "deviceCustomFloatingPoint2Label", "", cefString},
		{"cfp3", "deviceCustomFloatingPoint3", "", cefNumber}, {"cfp3Label", "deviceCustomFloatingPoint3Label", "", cefString},
		{"cfp4", "deviceCustomFloatingPoint4", "", cefNumber}, {"cfp4Label", "deviceCustomFloatingPoint4Label", "", cefString},
		{"cn1", "deviceCustomNumber1", "", cefNumber}, {"cn1Label", "deviceCustomNumber1Label", "", cefString},
		{"cn2", "deviceCustomNumber2", "", cefNumber}, {"cn2Label", "deviceCustomNumber2Label", "", cefString},
		{"cn3", "deviceCustomNumber3", "", cefNumber}, {"cn3Label", "deviceCustomNumber3Label", "", cefString},
		{"cs1", "deviceCustomString1", "", cefString}, {"cs1Label", "deviceCustomString1Label", "", cefString},
		{"cs2", "deviceCustomString2", "", cefString}, {"cs2Label", "deviceCustomString2Label", "", cefString},
		{"cs3", "deviceCustomString3", "", cefString}, {"cs3Label", "deviceCustomString3Label", "", cefString},
		{"cs4", "deviceCustomString4", "", cefString}, {"cs4Label", "deviceCustomString4Label", "", cefString},
		{"cs5", "deviceCustomString5", "", cefString}, {"cs5Label", "deviceCustomString5Label", "", cefString},
		{"cs6", "deviceCustomString6", "", cefString}, {"cs6Label", "deviceCustomString6Label", "", cefString},
		{"deviceCustomDate1", "deviceCustomDate1", "", cefTime}, {"deviceCustomDate1Label", "deviceCustomDate1Label", "", cefString},
		{"deviceCustomDate2", "deviceCustomDate2", "", cefTime}, {"deviceCustomDate2Label", "deviceCustomDate2Label", "", cefString},
		{"destinationDnsDomain", "destinationDnsDomain", "destination.registered_domain", cefString},
		{"destinationServiceName", "destinationServiceName", "destination.service.name", cefString},
		{"destinationTranslatedAddress", "destinationTranslatedAddress", "destination.nat.ip", cefIP},
		{"destinationTranslatedPort", "destinationTranslatedPort", "destination.nat.port", cefNumber},
		{"deviceDirection", "deviceDirection", "network.direction", cefDirection},
		{"deviceDnsDomain", "deviceDnsDomain", "observer.domain", cefString},
		{"deviceExternalId", "deviceExternalId", "", cefString},
		{"deviceFacility", "deviceFacility", "", cefString},
		{"deviceInboundInterface", "deviceInboundInterface", "observer.ingress.interface.name", cefString},
		{"deviceOutboundInterface", "deviceOutboundInterface", "observer.egress.interface.name", cefString},
		{"deviceNtDomain", "deviceNtDomain", "", cefString},
		{"devicePayloadId", "devicePayloadId", "", cefString},
		{"deviceProcessName", "deviceProcessName", "process.name", cefString},
		{"deviceTranslatedAddress", "deviceTranslatedAddress", "host.nat.ip", cefIP},
		{"dhost", "destinationHostName", "destination.domain", cefString},
		{"dmac", "destinationMacAddress", "destination.mac", cefMAC},
		{"dntdom", "destinationNtDomain", "destination.user.domain", cefString},
		{"dpid", "destinationProcessId", "destination.process.pid", cefNumber},
		{"dpriv", "destinationUserPrivileges", "destination.user.group.name", cefString},
		{"dproc", "destinationProcessName", "destination.process.name", cefString},
		{"dpt", "destinationPort", "destination.port", cefNumber},
		{"dst", "destinationAddress", "destination.ip", cefIP},
		{"dtz", "deviceTimeZone", "event.timezone", cefString},
		{"duid", "destinationUserId", "destination.user.id", cefString},
		{"duser", "destinationUserName", "destination.user.name", cefString},
		{"dvc", "deviceAddress", "observer.ip", cefIP},
		{"dvchost", "deviceHostName", "observer.hostname", cefString},
		{"dvcmac", "deviceMacAddress", "observer.mac", cefMAC},
		{"dvcpid", "deviceProcessId", "process.pid", cefNumber},
		{"end", "endTime", "event.end", cefTime},
		{"externalId", "externalId", "", cefString},
		{"fileCreateTime", "fileCreateTime", "file.created", cefTime},
		{"fileHash", "fileHash", "", cefHash},
		{"fileId", "fileId", "file.inode", cefString},
		{"fileModificationTime", "fileModificationTime", "file.mtime", cefTime},
		{"filePath", "filePath", "file.path", cefString},
		{"filePermission", "filePermission", "", cefString},
		{"fileType", "fileType", "file.type", cefString},
		{"flexDate1", "flexDate1", "", cefTime}, {"flexDate1Label", "flexDate1Label", "", cefString},
		{"flexString1", "flexString1", "", cefString}, {"flexString1Label", "flexString1Label", "", cefString},
		{"flexString2", "flexString2", "", cefString}, {"flexString2Label", "flexString2Label", "", cefString},
		{"fname", "filename", "file.name", cefString},
		{"fsize", "fileSize", "file.size", cefNumber},
		{"in", "bytesIn", "source.bytes", cefNumber},
		{"msg", "message", "", cefMessage},
		{"oldFileHash", "oldFileHash", "", cefString}, {"oldFileName", "oldFileName", "", cefString}, {"oldFilePath", "oldFilePath", "", cefString},
		{"out", "bytesOut", "destination.bytes", cefNumber},
		{"outcome", "eventOutcome", "event.outcome", cefOutcome},
		{"proto", "transportProtocol", "network.transport", cefTransport},
		{"reason", "Reason", "event.reason", cefString},
		{"request", "requestUrl", "url.original", cefString},
		{"requestClientApplication", "requestClientApplication", "user_agent.original", cefString},
		{"requestContext", "requestContext", "http.request.referrer", cefString},
		{"requestCookies", "requestCookies", "", cefString},
		{"requestMethod", "requestMethod", "http.request.method", cefString},
		{"rt", "deviceReceiptTime", "", cefTime},
		{"shost", "sourceHostName", "source.domain", cefString},
		{"smac", "sourceMacAddress", "source.mac", cefMAC},
		{"sntdom", "sourceNtDomain", "source.user.domain", cefString},
		{"sourceDnsDomain", "sourceDnsDomain", "source.registered_domain", cefString},
		{"sourceServiceName", "sourceServiceName", "source.service.name", cefString},
		{"sourceTranslatedAddress", "sourceTranslatedAddress", "source.nat.ip", cefIP},
		{"sourceTranslatedPort", "sourceTranslatedPort", "source.nat.port", cefNumber},
		{"spid", "sourceProcessId", "source.process.pid", cefNumber},
		{"spriv", "sourceUserPrivileges", "source.user.group.name", cefString},
		{"sproc", "sourceProcessName", "source.process.name", cefString},
		{"spt", "sourcePort", "source.port", cefNumber},
		{"src", "sourceAddress", "source.ip", cefIP},
		{"start", "startTime", "event.start", cefTime},
		{"suid", "sourceUserId", "source.user.id", cefString},
		{"suser", "sourceUserName", "source.user.name", cefString},
		{"type", "type", "", cefNumber},
		{"agentDnsDomain", "agentDnsDomain", "", cefString},
		{"agentNtDomain", "agentNtDomain", "", cefString},
		{"ahost", "agentHostName", "agent.name", cefString},
		{"agt", "agentAddress", "agent.ip", cefIP},
		{"aid", "agentId", "agent.id", cefString},
		{"amac", "agentMacAddress", "agent.mac", cefMAC},
		{"art", "agentReceiptTime", "event.created", cefTime},
		{"at", "agentType", "agent.type", cefString},
		{"atz", "agentTimeZone", "", cefString},
		{"av", "agentVersion", "agent.version", cefString},
		{"catdt", "categoryDeviceType", "", cefString},
		{"dlat", "destinationGeoLatitude", "destination.geo.location.lat", cefNumber},
		{"dlong", "destinationGeoLongitude", "destination.geo.location.lon", cefNumber},
		{"slat", "sourceGeoLatitude", "source.geo.location.lat", cefNumber},
		{"slong", "sourceGeoLongitude", "source.geo.location.lon", cefNumber},
		{"mrt", "managerReceiptTime", "", cefTime},
		{"eventId", "eventId", "event.id", cefID},
		{"categoryOutcome", "categoryOutcome", "event.outcome", cefOutcome},
	} {
		add(f.short, f.full, f.ecs, f.kind)
	}
	for key, rank := range map[string]int{"rt": 4, "end": 3, "start": 2, "art": 1} {
		f := m[key]
		f.rank = rank
		m[key], m[f.full[len("cef.extensions."):]] = f, f
	}
	return m
}()
