package sigma

// Load reads every rule under the paths: files as they are, directories walked for *.yml and *.yaml in name order. Rules
// keep that order. A file or document that cannot be read gives a *RuleError and costs only itself.
func Load(paths ...string) ([]*Rule, []*RuleError) { panic("not built yet") }

// Parse reads the documents of one file. File is used in errors and in Rule.File.
func Parse(file string, data []byte) ([]*Rule, []*RuleError) { panic("not built yet") }
