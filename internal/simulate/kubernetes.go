package simulate

import (
	"fmt"
	"time"
)

// The cluster that the company's new services run in: its API server's audit
// log (audit.k8s.io/v1, one event a line, level Metadata).

func (w *world) newKubernetes(h *host) {
	if !w.o.without(h.name, "kubernetes") {
		h.kube = w.newTextLog(h, "var/log/kubernetes/audit.log")
	}
}

// kubeCall is one request to the API server.
type kubeCall struct {
	user, groups, from, agent        string
	verb, resource, sub, space, name string
	group                            string // API group
	code                             int
}

func (h *host) kubernetes(a *actor, c kubeCall) {
	l := h.kube
	if l == nil {
		return
	}
	h.calls++
	x := nidsMix(uint64(h.calls) ^ h.w.o.Seed<<24)
	uri := "/api/v1"
	if c.group != "" {
		uri = "/apis/" + c.group + "/v1"
	}
	uri += "/namespaces/" + c.space + "/" + c.resource
	if c.name != "" {
		uri += "/" + c.name
	}
	if c.sub != "" {
		uri += "/" + c.sub
	}
	at := time.UnixMicro(h.time()).UTC()
	const layout = "2006-01-02T15:04:05.000000Z"
	decision, status := "allow", fmt.Sprintf(`{"metadata":{},"code":%d}`, c.code)
	if c.code == 403 {
		decision, status = "forbid", `{"metadata":{},"status":"Failure","reason":"Forbidden","code":403}`
	}
	l.line = fmt.Appendf(l.line, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%08x-%04x-4%03x-8%03x-%012x","stage":"ResponseComplete","requestURI":"%s","verb":"%s","user":{"username":"%s","groups":[%s"system:authenticated"]},"sourceIPs":["%s"],"userAgent":"%s","objectRef":{"resource":"%s","namespace":"%s"`,
		uint32(x), uint16(x>>32), uint16(x>>48)&0xfff, x&0xfff, nidsMix(x)>>16, uri, c.verb, c.user, c.groups, c.from, c.agent, c.resource, c.space)
	for _, f := range [][2]string{{"name", c.name}, {"apiGroup", c.group}, {"subresource", c.sub}} {
		if f[1] != "" {
			l.line = fmt.Appendf(l.line, `,"%s":"%s"`, f[0], f[1])
		}
	}
	l.line = fmt.Appendf(l.line, `,"apiVersion":"v1"},"responseStatus":%s,"requestReceivedTimestamp":"%s","stageTimestamp":"%s","annotations":{"authorization.k8s.io/decision":"%s","authorization.k8s.io/reason":""}}`,
		status, at.Format(layout), at.Add(3*time.Millisecond).Format(layout), decision)
	l.end(a.mark)
}

func (w *world) liveKubernetes(h *host) {
	if h.kube == nil {
		return
	}
	w.spawn("kube controllers", w.now, func(a *actor) {
		for {
			a.pause(20*second, 40*second)
			h.kubernetes(a, kubeCall{user: "system:kube-controller-manager", from: h.address, agent: "kube-controller-manager/v1.29.2 (linux/amd64) kubernetes/4b8e819/leader-election",
				verb: "update", resource: "leases", space: "kube-system", name: "kube-controller-manager", group: "coordination.k8s.io", code: 200})
		}
	})
	for _, p := range w.people {
		if p.role == office {
			continue
		}
		w.spawn("kubectl "+p.name, w.now, func(a *actor) {
			for {
				a.busy(2 * hour)
				by := kubeCall{user: p.name + "@example.com", groups: `"developers",`, from: p.address, agent: "kubectl/v1.29.2 (linux/amd64) kubernetes/4b8e819", space: "shop", code: 200}
				for range a.between(1, 8) {
					c := by
					c.resource = pick(&a.rng, []string{"pods", "pods", "services", "configmaps", "events"})
					c.verb = pick(&a.rng, []string{"list", "list", "get", "watch"})
					if c.verb == "get" {
						c.name = fmt.Sprintf("web-%d", a.rng.below(4))
					}
					if c.resource == "pods" && a.rng.chance(60) {
						c.verb, c.sub, c.name, c.code = "get", "log", fmt.Sprintf("web-%d", a.rng.below(4)), 200
					}
					h.kubernetes(a, c)
					a.pause(2*second, 60*second)
				}
			}
		})
	}
}
