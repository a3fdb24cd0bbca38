package format

import "strings"

// The columns of each log type of PAN-OS in order; "-" has no meaning yet (PAN-OS
// Administrator's Guide, "Syslog Field Descriptions"). What an older release does not
// write is missing at the end.
const (
	panosHead        = "- received_time observer.serial_number type sub_type config_version generated_time "
	panosFlow        = "source.ip destination.ip source.nat.ip destination.nat.ip ruleset source.user destination.user network.application virtual_sys source.zone destination.zone inbound_interface outbound_interface log_profile logged_time flow_id repeat_count source.port destination.port source.nat.port destination.nat.port flags protocol action "
	panosDevices     = "source.device_category source.device_profile source.device_model source.device_vendor source.device_os source.device_osversion source.hostname source.mac destination.device_category destination.device_profile destination.device_model destination.device_vendor destination.device_os destination.device_osversion destination.hostname destination.mac "
	panosApplication = "application.sub_category application.category application.technology application.risk_level application.characteristics application.container application.tunneled application.is_saas application.is_sanctioned cluster_name"
	panosGroups      = "device_group_hierarchy1 device_group_hierarchy2 device_group_hierarchy3 device_group_hierarchy4 vsys_name device_name "
)

var (
	panosTraffic = strings.Fields(panosHead + panosFlow + "network.bytes bytes_sent bytes_received total_packets start_time elapsed_time url.category - sequence_number action_flags source.location destination.location - pkts_sent pkts_received endreason " + panosGroups +
		"action_source source.vm_uuid destination.vm_uuid tunnel_id monitor_tag parent_session.id parent_session.start_time tunnel_type sctp.assoc_id sctp.chunks sctp.chunks_sent sctp.chunks_received rule_uuid http2_connection link_change_count policy_id link_switches sdwan.cluster_name sdwan.device_type sdwan.cluster_type sdwan.site_name dynamic_usergroup_name xff.ip " + panosDevices + "container_id pod_namespace pod_name source.edl destination.edl hostid serialnumber source.dynamic_address_group destination.dynamic_address_group session_owner high_resolution_timestamp")
	panosThreat = strings.Fields(panosHead + panosFlow + "misc threat.id url.category severity network.direction sequence_number action_flags source.location destination.location - http_content_type pcap_id file.hash wildfire.name url_idx user_agent file.type xff.ip referer sender subject recipient wildfire.report_id " + panosGroups +
		"- source.vm_uuid destination.vm_uuid http_method tunnel_id monitor_tag parent_session.id parent_session.start_time tunnel_type threat_category content_version - sctp.assoc_id payload_protocol_id http_headers url_category_list rule_uuid http2_connection dynamic_usergroup_name xff.ip " +
		panosDevices + "container_id pod_namespace pod_name source.edl destination.edl hostid serial_number domain_edl source.dynamic_address_group destination.dynamic_address_group partial_hash high_resolution_timestamp reason justification nsdsai_sst " + panosApplication)
	panosConfig     = strings.Fields(panosHead + "host virtual_sys cmd admin client_type result path before_change_detail after_change_detail sequence_number action_flags " + panosGroups + "device_group_id audit_comment - high_resolution_timestamp")
	panosConfig0    = strings.Fields(panosHead + "host virtual_sys cmd admin client_type result path sequence_number action_flags " + panosGroups)
	panosSystem     = strings.Fields(panosHead + "virtual_sys event.id object - - module severity description sequence_number action_flags " + panosGroups + "- - high_resolution_timestamp")
	panosUserID     = strings.Fields(panosHead + "virtual_sys source.ip source.user datasourcename event.id repeat_count timeout source.port destination.port datasource datasourcetype sequence_number action_flags " + panosGroups + "vsys_id factortype factorcompletiontime factorno ugflags user_by_source tag_name high_resolution_timestamp")
	panosGP         = strings.Fields(panosHead + "virtual_sys event.id stage auth_method tunnel_type source.user source.location machine_name public_ip public_ipv6 private_ip private_ipv6 host.id serial_number client_version client_os client_os_version repeat_count reason error description status location login_duration connect_method error_code portal sequence_number action_flags")
	panosAuth       = strings.Fields(panosHead + "virtual_sys source.ip source.user normalize_user object auth_policy repeat_count auth_id vendor log_profile server_profile description client_type event.id factorno sequence_number action_flags " + panosGroups)
	panosHIP        = strings.Fields(panosHead + "source.user virtual_sys machine_name client_os source.ip matchname repeat_count matchtype - - sequence_number action_flags " + panosGroups)
	panosDecryption = strings.Fields(panosHead + panosFlow + "tunnel_type - - source.vm_uuid destination.vm_uuid rule_uuid hs_stage_c2f hs_stage_f2s tls.version tls.key_exchange_algorithm tls.cipher tls.auth policy.name elliptic_curve tls.error_type root_certificate_status chain_status proxy_type certificate.serial certificate.fingerprint certificate.start certificate.end certificate.version certificate.size subject_common_name.length issuer_common_name.length root_common_name.length server_name_indication.length certificate.flags subject_common_name issuer_common_name root_common_name server_name_indication error_message container_id pod_namespace pod_name source.edl destination.edl source.dynamic_address_group destination.dynamic_address_group high_resolution_timestamp " +
		panosDevices + "sequence_number action_flags " + panosGroups + "vsys_id " + panosApplication)
	panosGTP = strings.Fields(panosHead + "source.ip destination.ip - - ruleset - - network.application virtual_sys source.zone destination.zone inbound_interface outbound_interface log_profile - flow_id - source.port destination.port - - - protocol action event_type msisdn access_point.name radio_access_technology_type message_type end_ip_address tunnel_endpoint.identifier1 tunnel_endpoint.identifier2 interface cause_code severity mcc mnc area_code cell.id event_code - - source.location destination.location " +
		"- - - - - - - imsi imei - - - - - - - - - - - - - - - - start_time elapsed_time tunnel_inspection_rule remote_user.ip remote_user.id rule_uuid pcap_id high_resolution_timestamp nsdsai_sst nsdsai_sd application.sub_category application.category application.technology application.risk_level application.characteristics application.container application.is_saas application.is_sanctioned")
	panosSCTP        = strings.Fields(panosHead + "source.ip destination.ip - - ruleset - - - virtual_sys source.zone destination.zone inbound_interface outbound_interface log_profile - flow_id repeat_count source.port destination.port - - - - protocol action " + panosGroups + "sequence_number - sctp.assoc_id payload_protocol_id severity sctp.chunk_type - sctp.verification.tag_1 sctp.verification.tag_2 sctp.cause_code diameter_app_id diameter_cmd_code diameter_avp_code sctp.stream_id sctp.assoc_end_reason op_code sccp.calling_ssn sccp.calling_gt sctp.filter sctp.chunks sctp.chunks_sent sctp.chunks_received network.packets packets_sent packets_received rule_uuid high_resolution_timestamp")
	panosIPTag       = strings.Fields(panosHead + "virtual_sys source.ip tag.name event.id repeat_count timeout datasourcename datasource_type datasource_subtype sequence_number action_flags " + panosGroups + "vsys_id high_resolution_timestamp")
	panosCorrelation = strings.Fields(panosHead + "source.ip source.user virtual_sys category severity " + panosGroups + "vsys_id object.name object.id evidence")
	panosTunnel      = strings.Fields(panosHead + panosFlow + "severity sequence_number action_flags source.location destination.location " + panosGroups + "tunnel_id monitor_tag parent_session.id parent_session.start_time tunnel_type network.bytes bytes_sent bytes_received total_packets pkts_sent pkts_received max_encapsulation unknown_protocol strict_check tunnel_fragment sessions_created sessions_closed endreason action_source start_time elapsed_time tunnel_inspection_rule remote_user.ip remote_user.id rule_uuid pcap_id dynamic_usergroup_name source.edl destination.edl high_resolution_timestamp nsdsai_sd nsdsai_sst pdu_session_id " + panosApplication)
	panosAudit       = strings.Fields("observer.serial_number generated_time type config_version cmd_source admin cmd result")
)

func panosColumns(kind string) []string {
	switch strings.ToUpper(kind) {
	case "TRAFFIC":
		return panosTraffic
	case "THREAT":
		return panosThreat
	case "CONFIG":
		return panosConfig
	case "SYSTEM":
		return panosSystem
	case "USERID":
		return panosUserID
	case "GLOBALPROTECT":
		return panosGP
	case "AUTH", "AUTHENTICATION":
		return panosAuth
	case "HIPMATCH", "HIP-MATCH":
		return panosHIP
	case "DECRYPTION":
		return panosDecryption
	case "GTP":
		return panosGTP
	case "SCTP":
		return panosSCTP
	case "IPTAG":
		return panosIPTag
	case "CORRELATION":
		return panosCorrelation
	case "TUNNEL":
		return panosTunnel
	}
	return nil
}

var panosNames = func() map[string]string {
	m := map[string]string{}
	for _, columns := range [][]string{panosTraffic, panosThreat, panosConfig, panosConfig0, panosSystem, panosUserID, panosGP, panosAuth, panosHIP,
		panosDecryption, panosGTP, panosSCTP, panosIPTag, panosCorrelation, panosTunnel, panosAudit} {
		for _, c := range columns {
			m[c] = "panw.panos." + c
		}
	}
	return m
}()
