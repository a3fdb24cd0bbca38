package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/incident"
)

// realSets are recorded attacks of others, and what whoever recorded them did:
// docs/real.md tells how well each is told. The rules are those built in.
var realSets = []struct {
	name, path string // path below the corpus; may have wildcards
	outcome    string
	techniques []string
	says       []string // in a sentence of what, outcome or impact, or in needs
}{
	{"a user added on another host by WMI", "otrf_security_datasets/atomic/windows/lateral_movement/host/empire_wmic_add_user_backdoor.zip", "succeeded", []string{"T1047", "T1136"},
		[]string{"account was created", "2 hosts were reached", "logged in to"}},
	{"a stager started over DCOM", "otrf_security_datasets/atomic/windows/lateral_movement/host/empire_dcom_shellwindows_stager.zip", "succeeded", []string{"T1059.001"}, []string{"PowerShell with an encoded command"}},
	{"directory replication by a user", "otrf_security_datasets/atomic/windows/credential_access/host/covenant_dcsync_dcerpc_drsuapi_DsGetNCChanges.zip", "succeeded", []string{"T1003.006"}, []string{"credentials taken"}},
	{"a run key that starts a script", "otrf_security_datasets/atomic/windows/persistence/host/empire_persistence_registry_modification_run_keys_elevated_user.zip", "succeeded", []string{"T1547.001"}, []string{"start-up entry was installed"}},
	{"a logon script set in the registry", "otrf_security_datasets/atomic/windows/persistence/host/cmd_userinitmprlogonscript_batch.zip", "succeeded", []string{"T1037.001", "T1070.001"}, []string{"start-up entry was installed", "logs were cleared"}},
	{"a service given another program", "otrf_security_datasets/atomic/windows/privilege_escalation/host/cmd_service_mod_fax.zip", "succeeded", []string{"T1543.003"}, []string{"runs a shell or a script host"}},
	{"memory of LSASS dumped", "otrf_security_datasets/atomic/windows/credential_access/host/cmd_lsass_memory_dumpert_syscalls.zip", "succeeded", []string{"T1003.001"}, []string{"credentials taken", "file was written"}},
	{"a ticket asked for with a stolen hash", "otrf_security_datasets/atomic/windows/credential_access/host/empire_shell_rubeus_asktgt_createnetonly.zip", "succeeded", []string{"T1550.002"}, []string{"asktgt"}},
	{"a machine account that becomes the domain controller's", "evtx/EVTX-to-MITRE-Attack/EVTX_full_APT_attack_steps", "succeeded", []string{"T1098", "T1543.003"}, []string{"logged in to", "which runs"}},
	{"passwords guessed by Kerberos", "evtx/EVTX-to-MITRE-Attack/TA0006-Credential Access/T1110.xxx-Brut force/*Kerbrute*", "succeeded", []string{"T1110.003"}, []string{"accepted a login as", "5 logins were obtained"}},
	{"passwords guessed by SSH, in vain", "crowdsec_hub_tests/ssh-slow-bf/ssh-slow-bf.log", "failed", []string{"T1110.001"}, []string{"22 recorded attempts", "covers the time"}},
	{"an attack on pkexec", "crowdsec_hub_tests/CVE-2021-4034/CVE-2021-4034.log", "unknown", []string{"T1068"}, []string{"process audit log of host"}},
	{"a privileged pod", "crowdsec_hub_tests/k8s-audit-priv-pod-file/k8s-audit-priv-pod-file.log", "succeeded", []string{"T1611"}, []string{"workload was started"}},
	{"SSH passwords guessed by botnets", "loghub/OpenSSH/OpenSSH_2k.log", "failed", []string{"T1110.003"}, []string{"every attempt failed"}},
}

func TestRecordedAttacksAreTold(t *testing.T) {
	root := os.Getenv("SEXTANT_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no corpus at %s", root)
	}
	for _, set := range realSets {
		t.Run(set.name, func(t *testing.T) {
			paths, err := filepath.Glob(filepath.Join(root, set.path))
			if err != nil || len(paths) == 0 {
				t.Skipf("the corpus has no %s", set.path)
			}
			inv := investigated(t, newCase(t), 1, paths...)
			if len(inv.Incidents) != 1 {
				t.Fatalf("%d incidents, want 1", len(inv.Incidents))
			}
			in := &inv.Incidents[0]
			if in.Outcome.Result != set.outcome {
				t.Errorf("%s: %s, want %s", in.Title, in.Outcome.Result, set.outcome)
			}
			for _, want := range set.techniques {
				if !slices.ContainsFunc(in.Techniques, func(got string) bool { return got == want || strings.HasPrefix(got, want+".") }) {
					t.Errorf("techniques %v, want %s", in.Techniques, want)
				}
			}
			all := slices.Concat(in.What, in.Outcome.Why, in.Impact.Facts, []incident.Sentence{{Text: strings.Join(in.Outcome.Needs, "; ")}})
			for _, want := range set.says {
				if !slices.ContainsFunc(all, func(s incident.Sentence) bool { return strings.Contains(s.Text, want) }) {
					t.Errorf("nothing says %q of %s: %v", want, in.Title, all)
				}
			}
		})
	}
}
