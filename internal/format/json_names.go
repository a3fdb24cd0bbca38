package format

// alias is what a name stands for.
type alias int32

const (
	noAlias alias = iota
	aliasTime
	aliasLevel
	aliasMessage
	aliasSource
	aliasSourcePort
	aliasDestination
	aliasDestinationPort
	aliasTransport
	aliasUser
	aliasUserID
	aliasEmail
	aliasHost
	aliasProcess
	aliasPID
	aliasCommand
	aliasLogger
	aliasService
	aliasMethod
	aliasStatus
	aliasURL
	aliasAgent
	aliasReferrer
	aliasAction
	aliasOutcome
	aliasFile
	aliasMD5
	aliasSHA1
	aliasSHA256
	aliasDomain
	aliasError
	aliasStack
	aliasTrace
	aliasSpan
	aliasSourceBytes
	aliasDestinationBytes
	aliasRequest
	aliasQuery
	aliasEpochSecond
	aliasNanoOfSecond
)

// aliases are keyed by the name in lower case without '_', '-', '.', blank and '@'.
var aliases = map[string]alias{
	"level": aliasLevel, "lvl": aliasLevel, "loglevel": aliasLevel, "levelname": aliasLevel, "severity": aliasLevel, "severitytext": aliasLevel, "priority": aliasLevel,
	"message": aliasMessage, "msg": aliasMessage, "log": aliasMessage, "text": aliasMessage, "event": aliasMessage, "shortmessage": aliasMessage, "logmessage": aliasMessage, "fulllog": aliasMessage, "renderedmessage": aliasMessage, "description": aliasMessage,
	"srcip": aliasSource, "sourceip": aliasSource, "sourceipaddress": aliasSource, "sourceaddress": aliasSource, "srcaddr": aliasSource, "srcaddress": aliasSource, "clientip": aliasSource, "clientaddr": aliasSource, "clientaddress": aliasSource, "remoteip": aliasSource, "remoteaddr": aliasSource, "remoteaddress": aliasSource, "remotehost": aliasSource, "peerip": aliasSource, "src": aliasSource, "cip": aliasSource, "ipaddress": aliasSource, "ipaddr": aliasSource, "ip": aliasSource, "source": aliasSource, "idorigh": aliasSource, "srchost": aliasSource, "remote": aliasSource, "client": aliasSource,
	"srcport": aliasSourcePort, "sourceport": aliasSourcePort, "clientport": aliasSourcePort, "remoteport": aliasSourcePort, "spt": aliasSourcePort, "idorigp": aliasSourcePort, "sport": aliasSourcePort,
	"dstip": aliasDestination, "destip": aliasDestination, "destinationip": aliasDestination, "destinationaddress": aliasDestination, "dstaddr": aliasDestination, "destaddr": aliasDestination, "dstaddress": aliasDestination, "targetip": aliasDestination, "serverip": aliasDestination, "dst": aliasDestination, "dest": aliasDestination, "destination": aliasDestination, "idresph": aliasDestination, "dsthost": aliasDestination,
	"dstport": aliasDestinationPort, "destport": aliasDestinationPort, "destinationport": aliasDestinationPort, "dpt": aliasDestinationPort, "serverport": aliasDestinationPort, "idrespp": aliasDestinationPort, "dport": aliasDestinationPort,
	"proto": aliasTransport, "protocol": aliasTransport, "transport": aliasTransport, "ipprotocol": aliasTransport,
	"user": aliasUser, "username": aliasUser, "loginname": aliasUser, "accountname": aliasUser, "login": aliasUser, "srcuser": aliasUser, "sourceuser": aliasUser,
	"userid": aliasUserID, "email": aliasEmail, "useremail": aliasEmail,
	"host": aliasHost, "hostname": aliasHost, "computer": aliasHost, "computername": aliasHost, "machine": aliasHost, "machinename": aliasHost,
	"process": aliasProcess, "processname": aliasProcess, "program": aliasProcess, "programname": aliasProcess, "pid": aliasPID, "processid": aliasPID,
	"command": aliasCommand, "cmd": aliasCommand, "commandline": aliasCommand, "cmdline": aliasCommand,
	"logger": aliasLogger, "loggername": aliasLogger, "service": aliasService, "servicename": aliasService,
	"method": aliasMethod, "httpmethod": aliasMethod, "requestmethod": aliasMethod, "verb": aliasMethod, "clientrequestmethod": aliasMethod,
	"status": aliasStatus, "statuscode": aliasStatus, "httpstatus": aliasStatus, "httpstatuscode": aliasStatus, "responsecode": aliasStatus, "responsestatus": aliasStatus, "edgeresponsestatus": aliasStatus, "downstreamstatus": aliasStatus,
	"url": aliasURL, "uri": aliasURL, "path": aliasURL, "requesturi": aliasURL, "requesturl": aliasURL, "requestpath": aliasURL, "urlpath": aliasURL, "clientrequesturi": aliasURL,
	"request": aliasRequest, "requestline": aliasRequest, "httprequest": aliasRequest, "query": aliasQuery, "querystring": aliasQuery,
	"useragent": aliasAgent, "httpuseragent": aliasAgent, "requestuseragent": aliasAgent, "clientrequestuseragent": aliasAgent, "referer": aliasReferrer, "referrer": aliasReferrer, "httpreferer": aliasReferrer,
	"action": aliasAction, "eventname": aliasAction, "eventtype": aliasAction, "operation": aliasAction, "activity": aliasAction,
	"outcome": aliasOutcome, "result": aliasOutcome, "success": aliasOutcome, "succeeded": aliasOutcome,
	"file": aliasFile, "filename": aliasFile, "filepath": aliasFile,
	"md5": aliasMD5, "sha1": aliasSHA1, "sha256": aliasSHA256,
	"domain": aliasDomain, "hostheader": aliasDomain, "clientrequesthost": aliasDomain, "requesthost": aliasDomain, "vhost": aliasDomain,
	"error": aliasError, "err": aliasError, "errormessage": aliasError, "exception": aliasError,
	"stacktrace": aliasStack, "stack": aliasStack, "excinfo": aliasStack, "backtrace": aliasStack, "traceback": aliasStack,
	"traceid": aliasTrace, "spanid": aliasSpan,
	"bytesin": aliasSourceBytes, "bytessent": aliasSourceBytes, "sentbytes": aliasSourceBytes, "srcbytes": aliasSourceBytes, "origbytes": aliasSourceBytes,
	"bytesout": aliasDestinationBytes, "bytesreceived": aliasDestinationBytes, "rcvdbytes": aliasDestinationBytes, "dstbytes": aliasDestinationBytes, "respbytes": aliasDestinationBytes,
	// of German and French tables
	"benutzer": aliasUser, "benutzername": aliasUser, "utilisateur": aliasUser, "nomutilisateur": aliasUser, "ipadresse": aliasSource, "quellip": aliasSource, "quelladresse": aliasSource, "quelle": aliasSource,
	"adresseip": aliasSource, "ipsource": aliasSource, "zielip": aliasDestination, "zieladresse": aliasDestination, "ipdestination": aliasDestination, "quellport": aliasSourcePort, "zielport": aliasDestinationPort,
	"rechner": aliasHost, "rechnername": aliasHost, "ordinateur": aliasHost, "meldung": aliasMessage, "nachricht": aliasMessage, "aktion": aliasAction, "ergebnis": aliasOutcome, "résultat": aliasOutcome, "prozess": aliasProcess, "datei": aliasFile,
	"epochsecond": aliasEpochSecond, "nanoofsecond": aliasNanoOfSecond,
}

// timeNames rank the names under which the time of a record stands; the
// smaller rank is the better one.
var timeNames = map[string]int32{
	"@timestamp": 1, "timestamp": 2, "eventtime": 3, "time": 4, "ts": 5, "datetime": 6, "systemtime": 6, "timecreated": 7, "timegenerated": 7, "utctime": 8,
	"date": 9, "eventtimestamp": 9, "logtime": 9, "logtimestamp": 9, "creationtime": 9, "createdat": 10, "eventcreated": 10, "loggedat": 10, "timeiso8601": 4, "timelocal": 4, "requesttime": 11,
	"starttime": 11, "edgestarttimestamp": 11, "startutc": 5, "startlocal": 11, "published": 8, "activitydatetime": 8, "receivedat": 14, "asctime": 8, "epoch": 9, "msec": 9, "t": 12, "when": 12, "occurred": 12, "occured": 12, "timesecondsepoch": 5, "timeflowstartns": 9, "createdon": 13, "datecreate": 13, "createddate": 13, "timeunixnano": 5,
	"creationdate": 9, "zeit": 4, "zeitstempel": 2, "datum": 9, "datumundzeit": 4, "datumuhrzeit": 4, "horodatage": 2, "dateheure": 4, "dateetheure": 4, "fecha": 9, "fechahora": 4, "fechayhora": 4,
	"created": 12, "start": 21, "detectedon": 12, "occurredon": 12, "publisheddate": 21, "lastupdated": 24, "lastmodified": 24, "updated": 24, "firstseen": 13, "realtimetimestamp": 6, "datetimeutc": 5,
}
