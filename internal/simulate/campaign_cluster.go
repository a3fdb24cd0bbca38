package simulate

import "fmt"

var _ = campaign(Campaign{
	Name:  "cluster-token-miner",
	Title: "A deployment token of the cluster that leaked is used from elsewhere: secrets are read, and a pod is started that mines for the attacker",
	Run: func(k *attack) {
		w, h, a := k.w, k.w.app, k.actor
		const token = "system:serviceaccount:shop:ci-deployer"
		k.host(h)
		k.user(token)
		k.tells("app1/kubernetes", "sensor1/suricata", "sensor1/zeek")
		agent := pick(&k.rng, []string{"kubectl/v1.31.0 (linux/amd64) kubernetes/9edcffc", "curl/8.5.0", "python-urllib3/2.2.1"})
		call := func(verb, group, resource, sub, space, name string, code int) {
			from := k.source()
			f := w.sensor.open(a, "TCP", from, clientPort(a), h.address, 6443)
			f.app, f.toServer, f.toClient = "tls", k.between(1500, 4000), k.between(2500, 30_000)
			h.kubernetes(a, kubeCall{user: token, groups: `"system:serviceaccounts","system:serviceaccounts:shop",`, from: from, agent: agent,
				verb: verb, group: group, resource: resource, sub: sub, space: space, name: name, code: code})
			w.sensor.close(a, &f)
			k.lull(second, 15*second)
		}
		k.step("T1613", "look", "uses the token of ci-deployer and looks around")
		call("list", "", "pods", "", "shop", "", 200)
		for _, resource := range []string{"secrets", "pods", "configmaps", "serviceaccounts"} {
			call("list", "", resource, "", "kube-system", "", 403)
		}
		call("list", "rbac.authorization.k8s.io", "rolebindings", "", "shop", "", 403)
		k.fact("access", token, "the cluster is used with the token of ci-deployer")
		k.step("T1552.007", "secrets", "reads the shop's secrets")
		call("list", "", "secrets", "", "shop", "", 200)
		for _, name := range []string{"db-password", "registry-pull"} {
			call("get", "", "secrets", "", "shop", name, 200)
		}
		k.fact("credentials", "shop", "the secrets of the namespace shop were read")
		k.step("T1610", "deploy", "starts a pod of its own")
		pod := fmt.Sprintf("node-health-%d", k.between(100, 999))
		call("create", "", "pods", "", "shop", pod, 201)
		k.succeeds()
		k.fact("execution", pod, "the pod %s runs", pod)
		k.pause(30*second, 3*minute)
		k.step("T1609", "exec", "and runs a command in it")
		call("create", "", "pods", "exec", "shop", pod, 101)
		k.step("T1496", "mine", "which mines for hours")
		pool := w.stranger()
		until := min(w.now+k.between(3*hour, 9*hour), w.end-hour)
		for w.now < until {
			f := w.sensor.open(a, "TCP", h.address, clientPort(a), pool, 3333)
			k.pause(40*minute, 90*minute)
			f.toServer, f.toClient = k.between(30_000, 90_000), k.between(60_000, 200_000)
			w.sensor.close(a, &f)
		}
		k.fact("outbound", pool, "app1 talked with the mining pool %s", pool)
		k.wait(2 * minute)
	},
})
