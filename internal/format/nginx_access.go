package format

// Nginx access log: combined, the packages' main, and formats that add fields
// behind it. https://nginx.org/en/docs/http/ngx_http_log_module.html
var _ = register(Format{
	Name:      "nginx.access",
	Title:     "Nginx access log",
	Group:     "web",
	Recognise: func(s *Sample) int { return recogniseAccess(s, true) },
	Lines: func(p *Params) LineDecoder {
		return newAccessDecoder(p, &nginxAccess, newNginxErrorDecoder(p))
	},
})
