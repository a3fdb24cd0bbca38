package format

import "strings"

// The text that Windows renders for an event, in English, is all that the Event
// Viewer's CSV and text hold of its data:
//
//	An account failed to log on.
//
//	Subject:
//		Security ID:		S-1-0-0
//		Account Name:		-
//
// Labels stand for data by their section; in Sysmon's messages they are the data's own names.

// renderedSections are the sections that speak of an account, and how the names of its data begin.
var renderedSections = map[string]string{
	"Subject": "Subject", "Creator Subject": "Subject",
	"New Logon": "Target", "Target Account": "Target", "Account For Which Logon Failed": "Target", "Account Whose Credentials Were Used": "Target", "New Account": "Target",
	"Target Subject": "Target", "Account That Was Locked Out": "Target", "Group": "Target", "New Group": "Target", "Deleted Group": "Target", "Account Information": "Target", "User": "Target",
	"Member": "Member", "Target Computer": "Target", "Computer Account That Was Changed": "Target", "Account": "Target",
}

// renderedLabels are the data that a label stands for in any section.
var renderedLabels = map[string]string{
	"Logon Type": "LogonType", "Restricted Admin Mode": "RestrictedAdminMode", "Virtual Account": "VirtualAccount", "Elevated Token": "ElevatedToken", "Impersonation Level": "ImpersonationLevel",
	"New Process ID": "NewProcessId", "New Process Name": "NewProcessName", "Creator Process ID": "ProcessId", "Creator Process Name": "ParentProcessName", "Process Command Line": "CommandLine",
	"Token Elevation Type": "TokenElevationType", "Mandatory Label": "MandatoryLabel", "Caller Process ID": "ProcessId", "Caller Process Name": "ProcessName", "Process ID": "ProcessId", "Process Name": "ProcessName",
	"Exit Status": "Status", "Application Name": "Application", "Workstation Name": "WorkstationName", "Source Workstation": "Workstation", "Caller Computer Name": "TargetDomainName",
	"Source Network Address": "IpAddress", "Client Address": "IpAddress", "Network Address": "IpAddress", "Client Port": "IpPort", "Port": "IpPort",
	"Source Address": "SourceAddress", "Destination Address": "DestAddress", "Destination Port": "DestPort", "Protocol": "Protocol", "Direction": "Direction",
	"Logon Process": "LogonProcessName", "Authentication Package": "AuthenticationPackageName", "Package Name (NTLM only)": "LmPackageName", "Key Length": "KeyLength", "Transited Services": "TransmittedServices",
	"Status": "Status", "Sub Status": "SubStatus", "Failure Reason": "FailureReason", "Failure Code": "Status", "Result Code": "Status", "Error Code": "Status", "Logon Account": "TargetUserName",
	"Service Name": "ServiceName", "Service ID": "ServiceSid", "Service File Name": "ServiceFileName", "Service Type": "ServiceType", "Service Start Type": "ServiceStartType", "Service Account": "ServiceAccount",
	"Ticket Options": "TicketOptions", "Ticket Encryption Type": "TicketEncryptionType", "Pre-Authentication Type": "PreAuthType", "Supplied Realm Name": "TargetDomainName", "User ID": "TargetSid",
	"Task Name": "TaskName", "Task Content": "TaskContent", "Object Server": "ObjectServer", "Object Type": "ObjectType", "Object Name": "ObjectName", "Handle ID": "HandleId", "Accesses": "AccessList", "Access Mask": "AccessMask",
	"Share Name": "ShareName", "Share Path": "ShareLocalPath", "Relative Target Name": "RelativeTargetName", "Privileges": "PrivilegeList", "Target Server Name": "TargetServerName", "Linked Logon ID": "TargetLinkedLogonId",
	"Group Name": "TargetUserName", "Group Domain": "TargetDomainName", "Client Process ID": "ClientProcessId",
}

// renderedAccount are the labels of an account, and how the names of its data end.
var renderedAccount = map[string]string{"Security ID": "UserSid", "Account Name": "UserName", "Account Domain": "DomainName", "Logon ID": "LogonId", "Logon GUID": "LogonGuid"}

const maxRendered = 128 // data

// readMessage gets the data of an event out of its rendered text.
func (x *winExport) readMessage() {
	own := x.channel == channelSysmon || strings.Contains(x.provider, "Sysmon")
	service := x.provider == "Service Control Manager"
	section := ""
	add := func(name, value string) {
		if len(x.data) < maxRendered {
			x.data = append(x.data, datum{name, value})
		}
	}
	for line := range strings.Lines(x.message) {
		line = strings.TrimRight(line, "\r\n \t")
		label, value, ok := strings.Cut(strings.TrimLeft(line, " \t"), ":")
		if !ok || len(label) > 60 {
			continue
		}
		value = strings.TrimLeft(value, " \t")
		switch {
		case own:
			if label != "" && !strings.ContainsAny(label, " \t") && value != "" {
				add(label, value)
			}
			continue
		case value == "":
			section = label
			continue
		}
		if service {
			switch label {
			case "Service File Name":
				add("ImagePath", value)
				continue
			case "Service Start Type":
				add("StartType", value)
				continue
			case "Service Account":
				add("AccountName", value)
				continue
			}
		}
		if end := renderedAccount[label]; end != "" {
			who := renderedSections[section]
			switch {
			case who == "Member" && label == "Account Name":
				add("MemberName", value)
			case who == "Member":
				add("MemberSid", value)
			case who != "":
				add(who+end, value)
			case section == "": // before any section it is who acts
				add("Subject"+end, value)
			}
			continue
		}
		if label == "Source Port" {
			if section == "Network Information" && x.id != "4624" && x.id != "4625" && x.id != "4648" {
				add("SourcePort", value)
			} else {
				add("IpPort", value)
			}
			continue
		}
		if name := renderedLabels[label]; name != "" {
			add(name, value)
		}
	}
}
