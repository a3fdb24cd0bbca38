package format

// What the codes in the data of Windows events mean.

// logonTypes: Microsoft, "4624(S): An account was successfully logged on".
var logonTypes = map[string]string{
	"0": "System", "2": "Interactive", "3": "Network", "4": "Batch", "5": "Service", "7": "Unlock", "8": "NetworkCleartext",
	"9": "NewCredentials", "10": "RemoteInteractive", "11": "CachedInteractive", "12": "CachedRemoteInteractive", "13": "CachedUnlock",
}

// logonStatus are NTSTATUS values with the words of Microsoft's pages on 4625 and 4776.
var logonStatus = map[string]string{
	"0x0":        "Status OK.",
	"0xc000005e": "There are currently no logon servers available to service the logon request.",
	"0xc0000064": "User logon with misspelled or bad user account",
	"0xc000006a": "User logon with misspelled or bad password",
	"0xc000006d": "This is either due to a bad username or authentication information",
	"0xc000006e": "Unknown user name or bad password.",
	"0xc000006f": "User logon outside authorized hours",
	"0xc0000070": "User logon from unauthorized workstation",
	"0xc0000071": "User logon with expired password",
	"0xc0000072": "User logon to account disabled by administrator",
	"0xc00000dc": "Indicates the Sam Server was in the wrong state to perform the desired operation.",
	"0xc0000133": "Clocks between DC and other computer too far out of sync",
	"0xc000015b": "The user has not been granted the requested logon type (aka logon right) at this machine",
	"0xc000018c": "The logon request failed because the trust relationship between the primary domain and the trusted domain failed.",
	"0xc0000192": "An attempt was made to logon, but the Netlogon service was not started.",
	"0xc0000193": "User logon with expired account",
	"0xc0000224": "User is required to change password at next logon",
	"0xc0000225": "Evidently a bug in Windows and not a risk",
	"0xc0000234": "User logon with account locked",
	"0xc00002ee": "Failure Reason: An Error occurred during Logon",
	"0xc0000371": "The local account store does not contain secret material for the specified account",
	"0xc0000413": "Logon Failure: The machine you are logging onto is protected by an authentication firewall. The specified account is not allowed to authenticate to the machine.",
}

// kerberosStatus: RFC 4120 §7.5.9.
var kerberosStatus = map[uint32]string{
	0x0: "KDC_ERR_NONE", 0x1: "KDC_ERR_NAME_EXP", 0x2: "KDC_ERR_SERVICE_EXP", 0x3: "KDC_ERR_BAD_PVNO", 0x4: "KDC_ERR_C_OLD_MAST_KVNO",
	0x5: "KDC_ERR_S_OLD_MAST_KVNO", 0x6: "KDC_ERR_C_PRINCIPAL_UNKNOWN", 0x7: "KDC_ERR_S_PRINCIPAL_UNKNOWN", 0x8: "KDC_ERR_PRINCIPAL_NOT_UNIQUE",
	0x9: "KDC_ERR_NULL_KEY", 0xa: "KDC_ERR_CANNOT_POSTDATE", 0xb: "KDC_ERR_NEVER_VALID", 0xc: "KDC_ERR_POLICY", 0xd: "KDC_ERR_BADOPTION",
	0xe: "KDC_ERR_ETYPE_NOTSUPP", 0xf: "KDC_ERR_SUMTYPE_NOSUPP", 0x10: "KDC_ERR_PADATA_TYPE_NOSUPP", 0x11: "KDC_ERR_TRTYPE_NO_SUPP",
	0x12: "KDC_ERR_CLIENT_REVOKED", 0x13: "KDC_ERR_SERVICE_REVOKED", 0x14: "KDC_ERR_TGT_REVOKED", 0x15: "KDC_ERR_CLIENT_NOTYET",
	0x16: "KDC_ERR_SERVICE_NOTYET", 0x17: "KDC_ERR_KEY_EXPIRED", 0x18: "KDC_ERR_PREAUTH_FAILED", 0x19: "KDC_ERR_PREAUTH_REQUIRED",
	0x1a: "KDC_ERR_SERVER_NOMATCH", 0x1b: "KDC_ERR_MUST_USE_USER2USER", 0x1f: "KRB_AP_ERR_BAD_INTEGRITY", 0x20: "KRB_AP_ERR_TKT_EXPIRED",
	0x21: "KRB_AP_ERR_TKT_NYV", 0x22: "KRB_AP_ERR_REPEAT", 0x23: "KRB_AP_ERR_NOT_US", 0x24: "KRB_AP_ERR_BADMATCH", 0x25: "KRB_AP_ERR_SKEW",
	0x26: "KRB_AP_ERR_BADADDR", 0x27: "KRB_AP_ERR_BADVERSION", 0x28: "KRB_AP_ERR_MSG_TYPE", 0x29: "KRB_AP_ERR_MODIFIED", 0x2a: "KRB_AP_ERR_BADORDER",
	0x2c: "KRB_AP_ERR_BADKEYVER", 0x2d: "KRB_AP_ERR_NOKEY", 0x2e: "KRB_AP_ERR_MUT_FAIL", 0x2f: "KRB_AP_ERR_BADDIRECTION", 0x30: "KRB_AP_ERR_METHOD",
	0x31: "KRB_AP_ERR_BADSEQ", 0x32: "KRB_AP_ERR_INAPP_CKSUM", 0x33: "KRB_AP_PATH_NOT_ACCEPTED", 0x34: "KRB_ERR_RESPONSE_TOO_BIG",
	0x3c: "KRB_ERR_GENERIC", 0x3d: "KRB_ERR_FIELD_TOOLONG", 0x3e: "KDC_ERR_CLIENT_NOT_TRUSTED", 0x3f: "KDC_ERR_KDC_NOT_TRUSTED",
	0x40: "KDC_ERR_INVALID_SIG", 0x41: "KDC_ERR_KEY_TOO_WEAK", 0x42: "KRB_AP_ERR_USER_TO_USER_REQUIRED", 0x43: "KRB_AP_ERR_NO_TGT", 0x44: "KDC_ERR_WRONG_REALM",
}

// kerberosEncryption: Microsoft, "4769(S, F)", table of encryption types.
var kerberosEncryption = map[uint32]string{
	0x1: "DES-CBC-CRC", 0x3: "DES-CBC-MD5", 0x11: "AES128-CTS-HMAC-SHA1-96", 0x12: "AES256-CTS-HMAC-SHA1-96",
	0x17: "RC4-HMAC", 0x18: "RC4-HMAC-EXP", 0xffffffff: "FAIL",
}

// ticketOptions: RFC 4120 §5.4.1, KDCOptions.
var ticketOptions = [...]bitName{
	{0x40000000, "Forwardable"}, {0x20000000, "Forwarded"}, {0x10000000, "Proxiable"}, {0x08000000, "Proxy"}, {0x04000000, "Allow-postdate"},
	{0x02000000, "Postdated"}, {0x01000000, "Invalid"}, {0x00800000, "Renewable"}, {0x00400000, "Initial"}, {0x00200000, "Pre-authent"},
	{0x00100000, "Opt-hardware-auth"}, {0x00080000, "Transited-policy-checked"}, {0x00040000, "Ok-as-delegate"}, {0x00020000, "Request-anonymous"},
	{0x00010000, "Name-canonicalize"}, {0x00000020, "Disable-transited-check"}, {0x00000010, "Renewable-ok"}, {0x00000008, "Enc-tkt-in-skey"},
	{0x00000002, "Renew"}, {0x00000001, "Validate"},
}

// accountFlags are the bits of NewUacValue (MS-SAMR §2.2.1.12, USER_ACCOUNT), which
// are not those of the attribute userAccountControl.
var accountFlags = [...]bitName{
	{0x1, "USER_ACCOUNT_DISABLED"}, {0x2, "USER_HOME_DIRECTORY_REQUIRED"}, {0x4, "USER_PASSWORD_NOT_REQUIRED"}, {0x8, "USER_TEMP_DUPLICATE_ACCOUNT"},
	{0x10, "USER_NORMAL_ACCOUNT"}, {0x20, "USER_MNS_LOGON_ACCOUNT"}, {0x40, "USER_INTERDOMAIN_TRUST_ACCOUNT"}, {0x80, "USER_WORKSTATION_TRUST_ACCOUNT"},
	{0x100, "USER_SERVER_TRUST_ACCOUNT"}, {0x200, "USER_DONT_EXPIRE_PASSWORD"}, {0x400, "USER_ACCOUNT_AUTO_LOCKED"},
	{0x800, "USER_ENCRYPTED_TEXT_PASSWORD_ALLOWED"}, {0x1000, "USER_SMARTCARD_REQUIRED"}, {0x2000, "USER_TRUSTED_FOR_DELEGATION"},
	{0x4000, "USER_NOT_DELEGATED"}, {0x8000, "USER_USE_DES_KEY_ONLY"}, {0x10000, "USER_DONT_REQUIRE_PREAUTH"}, {0x20000, "USER_PASSWORD_EXPIRED"},
	{0x40000, "USER_TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION"}, {0x80000, "USER_NO_AUTH_DATA_REQUIRED"}, {0x100000, "USER_PARTIAL_SECRETS_ACCOUNT"}, {0x200000, "USER_USE_AES_KEYS"},
}

// serviceTypes: SERVICE_STATUS.dwServiceType, as 4697 writes it and as 7045 says it.
var serviceTypes = map[string]string{
	"0x1": "Kernel Driver", "0x2": "File System Driver", "0x8": "Recognizer Driver", "0x10": "Win32 Own Process", "0x20": "Win32 Share Process",
	"0x110": "Interactive Own Process", "0x120": "Interactive Share Process",
}

// Trusts: MS-ADTS §6.1.6.7.
var (
	trustTypes      = map[string]string{"1": "TRUST_TYPE_DOWNLEVEL", "2": "TRUST_TYPE_UPLEVEL", "3": "TRUST_TYPE_MIT", "4": "TRUST_TYPE_DCE"}
	trustDirections = map[string]string{"0": "TRUST_DIRECTION_DISABLED", "1": "TRUST_DIRECTION_INBOUND", "2": "TRUST_DIRECTION_OUTBOUND", "3": "TRUST_DIRECTION_BIDIRECTIONAL"}
	trustAttributes = map[string]string{
		"0": "UNDEFINED", "1": "TRUST_ATTRIBUTE_NON_TRANSITIVE", "2": "TRUST_ATTRIBUTE_UPLEVEL_ONLY", "4": "TRUST_ATTRIBUTE_QUARANTINED_DOMAIN",
		"8": "TRUST_ATTRIBUTE_FOREST_TRANSITIVE", "16": "TRUST_ATTRIBUTE_CROSS_ORGANIZATION", "32": "TRUST_ATTRIBUTE_WITHIN_FOREST",
		"64": "TRUST_ATTRIBUTE_TREAT_AS_EXTERNAL", "128": "TRUST_ATTRIBUTE_USES_RC4_ENCRYPTION",
		"512": "TRUST_ATTRIBUTE_CROSS_ORGANIZATION_NO_TGT_DELEGATION", "1024": "TRUST_ATTRIBUTE_PIM_TRUST",
	}
)

// parameterTexts are the parameter messages of the Security log (msobjs.dll) that
// events commonly refer to as %%N. Codes of rights whose meaning hangs on the kind
// of object are here for files, keys, processes, tokens, accounts and services.
var parameterTexts = map[int]string{
	1537: "DELETE", 1538: "READ_CONTROL", 1539: "WRITE_DAC", 1540: "WRITE_OWNER", 1541: "SYNCHRONIZE", 1542: "ACCESS_SYS_SEC", 1543: "MAX_ALLOWED",
	1792: "<value changed", 1793: "<value not set>", 1794: "<never>", 1795: "Enabled", 1796: "Disabled", 1797: "All", 1798: "None",
	1801: "Granted by", 1802: "Denied by", 1804: "Granted by Ownership", 1805: "Not granted",
	1832: "Identification", 1833: "Impersonation", 1840: "Delegation", 1842: "Yes", 1843: "No", 1844: "System",
	1872: "REG_NONE", 1873: "REG_SZ", 1874: "REG_EXPAND_SZ", 1875: "REG_BINARY", 1876: "REG_DWORD", 1877: "REG_DWORD_BIG_ENDIAN", 1878: "REG_LINK",
	1880: "REG_RESOURCE_LIST", 1883: "REG_QWORD", 1904: "New registry value created", 1905: "Existing registry value modified", 1906: "Registry value deleted",
	1936: "TokenElevationTypeDefault (1)", 1937: "TokenElevationTypeFull (2)", 1938: "TokenElevationTypeLimited (3)",
	2048: "Account Enabled", 2080: "Account Disabled", 2058: "Account Unlocked", 2090: "Account Locked",
	2304: "An Error occured during Logon.", 2305: "The specified user account has expired.", 2306: "The NetLogon component is not active.",
	2307: "Account locked out.", 2308: "The user has not been granted the requested logon type at this machine.", 2309: "The specified account's password has expired.",
	2310: "Account currently disabled.", 2311: "Account logon time restriction violation.", 2312: "User not allowed to logon at this computer.",
	2313: "Unknown user name or bad password.", 2314: "Domain sid inconsistent.", 2315: "Smartcard logon is required and was not used.",
	4416: "ReadData (or ListDirectory)", 4417: "WriteData (or AddFile)", 4418: "AppendData (or AddSubdirectory or CreatePipeInstance)", 4419: "ReadEA",
	4420: "WriteEA", 4421: "Execute/Traverse", 4422: "DeleteChild", 4423: "ReadAttributes", 4424: "WriteAttributes",
	4432: "Query key value", 4433: "Set key value", 4434: "Create sub-key", 4435: "Enumerate sub-keys", 4436: "Notify about changes to keys", 4437: "Create Link",
	4480: "Force process termination", 4481: "Create new thread in process", 4482: "Set process session ID", 4483: "Perform virtual memory operation",
	4484: "Read from process memory", 4485: "Write to process memory", 4486: "Duplicate handle into or out of process", 4487: "Create a subprocess of process",
	4488: "Set process quotas", 4489: "Set process information", 4490: "Query process information", 4491: "Set process termination port",
	4592: "AssignAsPrimary", 4593: "Duplicate", 4594: "Impersonate", 4595: "Query", 4596: "QuerySource", 4597: "AdjustPrivileges", 4598: "AdjustGroups",
	4599: "AdjustDefaultDacl", 4600: "AdjustSessionID",
	5376: "ConnectToServer", 5377: "ShutdownServer", 5378: "InitializeServer", 5379: "CreateDomain", 5380: "EnumerateDomains", 5381: "LookupDomain",
	5392: "ReadPasswordParameters", 5393: "WritePasswordParameters", 5394: "ReadOtherParameters", 5395: "WriteOtherParameters", 5396: "CreateUser",
	5397: "CreateGlobalGroup", 5398: "CreateLocalGroup", 5399: "GetLocalGroupMembership", 5400: "ListAccounts", 5401: "LookupIDs", 5402: "AdministerServer",
	5424: "AddMember", 5425: "RemoveMember", 5426: "ListMembers", 5427: "ReadInformation", 5428: "WriteAccount",
	5440: "ReadGeneralInformation", 5441: "ReadPreferences", 5442: "WritePreferences", 5443: "ReadLogon", 5444: "ReadAccount", 5445: "WriteAccount",
	5446: "ChangePassword (with knowledge of old password)", 5447: "SetPassword (without knowledge of old password)", 5448: "ListGroups",
	5449: "ReadGroupMembership", 5450: "ChangeGroupMembership",
	7168: "Connect to service controller", 7169: "Create a new service", 7170: "Enumerate services", 7171: "Lock service database for exclusive access",
	7172: "Query service database lock state", 7173: "Set last-known-good state of service database", 7184: "Query service configuration information",
	7185: "Set service configuration information", 7186: "Query status of service", 7187: "Enumerate dependencies of service", 7188: "Start the service",
	7189: "Stop the service", 7190: "Pause or continue the service", 7191: "Query information from service", 7192: "Issue service-specific control commands",
	7680: "Create Child", 7681: "Delete Child", 7682: "List Contents", 7683: "Write Self", 7684: "Read Property", 7685: "Write Property", 7686: "Delete Tree",
	7687: "List Object", 7688: "Control Access",
	8272: "System", 8273: "Logon/Logoff", 8274: "Object Access", 8275: "Privilege Use", 8276: "Detailed Tracking", 8277: "Policy Change", 8278: "Account Management",
	8279: "DS Access", 8280: "Account Logon", 8448: "Success removed", 8449: "Success Added", 8450: "Failure removed", 8451: "Failure Added",
	14592: "Inbound", 14593: "Outbound", 14594: "Forward", 14595: "Bidirectional", 14596: "IP Packet", 14597: "Transport", 14598: "Forward", 14599: "Stream",
	14600: "Datagram Data", 14601: "ICMP Error", 14608: "Resource Assignment", 14609: "Listen", 14610: "Receive/Accept", 14611: "Connect", 14612: "Flow Established",
	14614: "Resource Release", 14615: "Endpoint Closure", 14674: "Value Added", 14675: "Value Deleted",
	16384: "Add", 16385: "Delete", 16389: "Block", 16390: "Permit", 16391: "Callout",
}

// dnsStatus are the Win32 results of a query that Sysmon logs (winerror.h, windns.h).
var dnsStatus = map[string]string{
	"0": "SUCCESS", "5": "ERROR_ACCESS_DENIED", "8": "ERROR_NOT_ENOUGH_MEMORY", "13": "ERROR_INVALID_DATA", "14": "ERROR_OUTOFMEMORY", "87": "ERROR_INVALID_PARAMETER",
	"123": "ERROR_INVALID_NAME", "1214": "ERROR_INVALID_NETNAME", "1223": "ERROR_CANCELLED", "1460": "ERROR_TIMEOUT", "4312": "ERROR_OBJECT_NOT_FOUND",
	"9001": "DNS_ERROR_RCODE_FORMAT_ERROR", "9002": "DNS_ERROR_RCODE_SERVER_FAILURE", "9003": "DNS_ERROR_RCODE_NAME_ERROR", "9004": "DNS_ERROR_RCODE_NOT_IMPLEMENTED",
	"9005": "DNS_ERROR_RCODE_REFUSED", "9006": "DNS_ERROR_RCODE_YXDOMAIN", "9007": "DNS_ERROR_RCODE_YXRRSET", "9008": "DNS_ERROR_RCODE_NXRRSET",
	"9009": "DNS_ERROR_RCODE_NOTAUTH", "9010": "DNS_ERROR_RCODE_NOTZONE", "9016": "DNS_ERROR_RCODE_BADSIG", "9017": "DNS_ERROR_RCODE_BADKEY",
	"9018": "DNS_ERROR_RCODE_BADTIME", "9501": "DNS_INFO_NO_RECORDS", "9502": "DNS_ERROR_BAD_PACKET", "9503": "DNS_ERROR_NO_PACKET", "9504": "DNS_ERROR_RCODE",
	"9505": "DNS_ERROR_UNSECURE_PACKET", "9506": "DNS_REQUEST_PENDING", "9551": "DNS_ERROR_INVALID_TYPE", "9552": "DNS_ERROR_INVALID_IP_ADDRESS",
	"9553": "DNS_ERROR_INVALID_PROPERTY", "9554": "DNS_ERROR_TRY_AGAIN_LATER", "9556": "DNS_ERROR_NON_RFC_NAME", "9560": "DNS_ERROR_INVALID_NAME_CHAR",
	"9561": "DNS_ERROR_NUMERIC_NAME", "9701": "DNS_ERROR_RECORD_DOES_NOT_EXIST", "9702": "DNS_ERROR_RECORD_FORMAT", "9714": "DNS_ERROR_NAME_DOES_NOT_EXIST",
	"9851": "DNS_ERROR_NO_TCPIP", "9852": "DNS_ERROR_NO_DNS_SERVERS", "10054": "WSAECONNRESET", "10055": "WSAENOBUFS", "10060": "WSAETIMEDOUT",
}

// dnsTypes: the IANA registry of DNS resource record types, with Windows' own.
var dnsTypes = map[string]string{
	"1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "7": "MB", "8": "MG", "9": "MR", "10": "NULL", "11": "WKS", "12": "PTR", "13": "HINFO", "14": "MINFO",
	"15": "MX", "16": "TXT", "17": "RP", "18": "AFSDB", "20": "ISDN", "24": "SIG", "25": "KEY", "28": "AAAA", "29": "LOC", "33": "SRV", "35": "NAPTR",
	"37": "CERT", "39": "DNAME", "41": "OPT", "43": "DS", "46": "RRSIG", "47": "NSEC", "48": "DNSKEY", "49": "DHCID", "64": "SVCB", "65": "HTTPS",
	"249": "TKEY", "250": "TSIG", "251": "IXFR", "252": "AXFR", "255": "ANY", "65281": "WINS", "65282": "WINSR",
}
