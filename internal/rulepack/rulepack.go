// Package rulepack is Sextant's own Sigma rules, embedded in the program, and
// the test of any rule against log lines.
//
// A rule is a file GROUP/NAME.yml; its test stands beside it as
// GROUP/NAME.test.yml. A rule without a test does not build:
//
//	format: syslog            # what the samples are, a name of `sextant formats`; default: recognised
//	match:                    # each sample must match at least once
//	  - 'Mar  4 10:11:12 web1 sshd[7]: Accepted password for root from 192.0.2.9 port 4242 ssh2'
//	no_match:                 # no sample may match
//	  - 'Mar  4 10:11:12 web1 sshd[7]: Accepted publickey for alice from 192.0.2.9 port 4242 ssh2'
//
// A sample may be many lines: it is read as one log file. Samples of Windows
// event logs are JSON lines as Winlogbeat ships them, with winlog.channel,
// winlog.event_id and winlog.event_data. For a correlation rule, the sample must
// make the correlation match, not only the rules it refers to.
package rulepack

import "embed"

// Rules are the rules and their tests.
//
//go:embed */*.yml
var Rules embed.FS
