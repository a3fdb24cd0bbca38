package format

// Apache HTTP Server access log: common, combined and vhost_combined, with
// trailing fields of one's own. https://httpd.apache.org/docs/2.4/mod/mod_log_config.html
var _ = register(Format{
	Name:      "apache.access",
	Title:     "Apache HTTP Server access log",
	Group:     "web",
	Recognise: func(s *Sample) int { return recogniseAccess(s, false) },
	Lines: func(p *Params) LineDecoder {
		return newAccessDecoder(p, &apacheAccess, newApacheErrorDecoder(p))
	},
})
