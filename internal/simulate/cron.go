package simulate

// job runs one cron job: PAM's session in auth.log, the command in syslog.
func (h *host) job(a *actor, user, command string, takes int64) {
	pid := h.newPID(a)
	uid := h.accounts[user]
	h.authf(a, "CRON", pid, "pam_unix(cron:session): session opened for user %s(uid=%d) by (uid=0)", user, uid)
	h.sysf(a, "CRON", h.newPID(a), "(%s) CMD (%s)", user, command)
	a.wait(takes)
	h.authf(a, "CRON", pid, "pam_unix(cron:session): session closed for user %s", user)
}

// every is a cron job that runs at fixed intervals, at an offset into each.
func (h *host) every(interval, offset int64, user, command string, takes int64) {
	first := h.w.now + offset
	h.w.spawn("cron "+h.name+command, first, func(a *actor) {
		for at := first; ; at += interval {
			a.until(at + second + a.between(0, 40*msec)) // cron wakes just after the minute
			h.job(a, user, command, takes)
		}
	})
}

// editCrontab replaces a user's crontab by crontab -e, which cron then loads.
func (h *host) editCrontab(a *actor, user string, think int64) {
	pid := h.newPID(a)
	h.sysf(a, "crontab", pid, "(%s) BEGIN EDIT (%s)", user, user)
	a.wait(think)
	h.sysf(a, "crontab", pid, "(%s) REPLACE (%s)", user, user)
	h.sysf(a, "crontab", pid, "(%s) END EDIT (%s)", user, user)
	h.reloadCron(a, user)
}

// replaceCrontab is crontab FILE.
func (h *host) replaceCrontab(a *actor, user string) {
	h.sysf(a, "crontab", h.newPID(a), "(%s) REPLACE (%s)", user, user)
	h.reloadCron(a, user)
}

// reloadCron is cron's notice, at its next full minute.
func (h *host) reloadCron(a *actor, user string) {
	m := a.mark
	h.w.later((h.w.now/minute+1)*minute+200*msec, func() {
		h.syslog.logf(m, "cron", h.cronPID, "(%s) RELOAD (crontabs/%s)", user, user)
	})
}
