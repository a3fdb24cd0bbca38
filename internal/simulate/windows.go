package simulate

type windows struct{ owner *person }

func (h *host) newWindows()      {}
func (h *host) computer() string { return h.name + "." + domain }
func (w *world) liveWindows()    {}
