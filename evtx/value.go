package evtx

func appendFiletime(dst []byte, v uint64) []byte { panic("todo") }
