// Package logpattern mines the templates of log messages: what a kind of
// message always says, with <*> for what differs from one to the next.
//
//	m := logpattern.New()
//	for _, message := range messages {
//		m.Add(message)
//	}
//	for _, t := range m.Templates() {
//		fmt.Println(t.Count, t.Text) // 384 Failed password for <*> from <*> port <*> ssh2
//	}
//
// It needs no configuration, no training and no model, learns as messages come,
// and remembers a bounded number of different ones, whatever comes.
//
// # How
//
// One pass over the bytes of a message masks what is variable by its look:
// numbers with and without units, addresses, identifiers, paths, URLs, dates,
// truth values. What is left is a masked message; a program has few of them, and one
// that is known costs a look into a map and nothing more.
//
// A new one is put with those that have the same separators in the same
// order. They are divided into templates top down, as IPLoM does (Makanju,
// Zincir-Heywood, Milios, KDD 2009): at the place with the fewest different words,
// unless the words there are values. How many different words make a place
// variable depends on what is known about it: two behind an equals sign or in
// quotes or with digits in them; three behind a word that names what follows
// ("user", "from"); eight elsewhere; many where the message begins, and many
// capitals, which are states and methods. Lists of any length are one variable.
//
// Templates of all orders are then put together: a word that is a value in some is one
// in others; a variable learnt from words may be several words and takes in messages
// of other lengths; what goes on in very many ways ends in any text.
//
// # Ids
//
// A template's id is a hash of the first masked message that was of the
// kind. [Miner.ID] gives it at once; when what seemed two kinds turns out to be one,
// the later id becomes an alias of the earlier ([Miner.Resolve], [Template].Aliases).
// What the templates are in the end does not depend on the order of the messages;
// which of the ids names one does.
//
// # When it is wrong
//
// Free text that came in few ways, or behind a mere label, becomes several
// templates. A free word that has come only once or twice is taken for part of
// the message. Two messages that differ only in a word behind "user" become one
// template after three such.
package logpattern
