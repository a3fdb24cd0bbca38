package format

import "strings"

// The text that Windows renders for an event is all that the Event Viewer's CSV and
// text hold of its data, in English, German or French:
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

// namedSIDs are security ids that Windows shows by name alone, the same in every language.
var namedSIDs = map[string]string{"NULL SID": "S-1-0-0", "SYSTEM": "S-1-5-18", `NT AUTHORITY\SYSTEM`: "S-1-5-18", `NT-AUTORITÄT\SYSTEM`: "S-1-5-18", `AUTORITE NT\Système`: "S-1-5-18"}

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
		if !ok || len(label) > 80 {
			continue
		}
		value = strings.TrimLeft(value, " \t:") // the German "Unterstatus::"
		label = englishLabel(label)
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
			if sid := namedSIDs[value]; sid != "" && end == "UserSid" {
				value = sid
			}
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

// englishLabel is the English label in the place of a German or French one.
func englishLabel(label string) string {
	label = strings.TrimRight(label, " \u00a0")
	if e, ok := localLabels[label]; ok {
		return e
	}
	if strings.Contains(label, "’") {
		if e, ok := localLabels[strings.ReplaceAll(label, "’", "'")]; ok {
			return e
		}
	}
	return label
}

// localLabels are the labels of German and French Windows. Apostrophes are straight here.
var localLabels = map[string]string{
	"Antragsteller": "Subject", "Neue Anmeldung": "New Logon", "Zielkonto": "Target Account", "Konto, für das die Anmeldung fehlgeschlagen ist": "Account For Which Logon Failed",
	"Konto, dessen Anmeldeinformationen verwendet wurden": "Account Whose Credentials Were Used", "Neues Konto": "New Account", "Gesperrtes Konto": "Account That Was Locked Out",
	"Gruppe": "Group", "Neue Gruppe": "New Group", "Gelöschte Gruppe": "Deleted Group", "Kontoinformationen": "Account Information", "Mitglied": "Member", "Benutzer": "User",
	"Netzwerkinformationen": "Network Information", "Prozessinformationen": "Process Information", "Fehlerinformationen": "Failure Information",
	"Sicherheits-ID": "Security ID", "Kontoname": "Account Name", "Kontodomäne": "Account Domain", "Anmelde-ID": "Logon ID", "Anmelde-GUID": "Logon GUID",
	"Anmeldetyp": "Logon Type", "Fehlerursache": "Failure Reason", "Unterstatus": "Sub Status", "Aufrufprozess-ID": "Caller Process ID", "Aufrufprozessname": "Caller Process Name",
	"Prozess-ID": "Process ID", "Prozessname": "Process Name", "Neue Prozess-ID": "New Process ID", "Neuer Prozessname": "New Process Name", "Prozessbefehlszeile": "Process Command Line",
	"Arbeitsstationsname": "Workstation Name", "Arbeitsstation": "Source Workstation", "Quellnetzwerkadresse": "Source Network Address", "Quellport": "Source Port", "Quelladresse": "Source Address",
	"Zieladresse": "Destination Address", "Zielport": "Destination Port", "Clientadresse": "Client Address", "Clientport": "Client Port", "Netzwerkadresse": "Network Address",
	"Anmeldeprozess": "Logon Process", "Authentifizierungspaket": "Authentication Package", "Schlüssellänge": "Key Length", "Gruppenname": "Group Name", "Gruppendomäne": "Group Domain",
	"Dienstname": "Service Name", "Dienstdateiname": "Service File Name", "Diensttyp": "Service Type", "Dienststarttyp": "Service Start Type", "Dienstkonto": "Service Account",
	"Aufgabenname": "Task Name", "Objektname": "Object Name", "Objekttyp": "Object Type", "Freigabename": "Share Name", "Zielservername": "Target Server Name", "Berechtigungen": "Privileges",

	"Sujet": "Subject", "Objet": "Subject", "Nouvelle ouverture de session": "New Logon", "Compte cible": "Target Account", "Compte pour lequel l'ouverture de session a échoué": "Account For Which Logon Failed",
	"Compte dont les informations d'identification ont été utilisées": "Account Whose Credentials Were Used", "Nouveau compte": "New Account", "Compte verrouillé": "Account That Was Locked Out",
	"Groupe": "Group", "Nouveau groupe": "New Group", "Informations sur le compte": "Account Information", "Membre": "Member", "Utilisateur": "User",
	"Informations sur le réseau": "Network Information", "Informations sur le processus": "Process Information", "Informations sur l'échec": "Failure Information",
	"ID de sécurité": "Security ID", "Nom du compte": "Account Name", "Domaine du compte": "Account Domain", "ID d'ouverture de session": "Logon ID", "GUID d'ouverture de session": "Logon GUID",
	"Type d'ouverture de session": "Logon Type", "Raison de l'échec": "Failure Reason", "État": "Status", "Sous-état": "Sub Status", "ID du processus de l'appelant": "Caller Process ID",
	"Nom du processus de l'appelant": "Caller Process Name", "ID du processus": "Process ID", "Nom du processus": "Process Name", "ID du nouveau processus": "New Process ID",
	"Nom du nouveau processus": "New Process Name", "Ligne de commande du processus": "Process Command Line", "Nom de la station de travail": "Workstation Name", "Station de travail source": "Source Workstation",
	"Adresse du réseau source": "Source Network Address", "Port source": "Source Port", "Adresse source": "Source Address", "Adresse de destination": "Destination Address",
	"Port de destination": "Destination Port", "Adresse du client": "Client Address", "Port client": "Client Port", "Adresse réseau": "Network Address",
	"Processus d'ouverture de session": "Logon Process", "Package d'authentification": "Authentication Package", "Longueur de clé": "Key Length", "Longueur de la clé": "Key Length",
	"Nom du groupe": "Group Name", "Domaine du groupe": "Group Domain", "Nom du service": "Service Name", "Nom du fichier de service": "Service File Name", "Type de service": "Service Type",
	"Type de démarrage du service": "Service Start Type", "Compte de service": "Service Account", "Nom de la tâche": "Task Name", "Nom de l'objet": "Object Name", "Type d'objet": "Object Type",
	"Nom du partage": "Share Name", "Nom du serveur cible": "Target Server Name", "Privilèges": "Privileges",
}
