package store

// maxFiles is how many files this process may have open: on Windows, millions.
func maxFiles() int { return 1 << 20 }
