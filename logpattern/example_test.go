package logpattern_test

import (
	"fmt"

	"github.com/sextant-logs/sextant/logpattern"
)

func Example() {
	m := logpattern.New()
	for _, message := range []string{
		"Accepted publickey for alice from 192.0.2.7 port 50122",
		"Accepted publickey for bob from 192.0.2.9 port 50310",
		"Accepted publickey for carol from 192.0.2.7 port 50411",
		"Server listening on 0.0.0.0 port 22",
	} {
		m.Add(message)
	}
	for _, t := range m.Templates() {
		fmt.Println(t.Count, t.Text)
	}
	parameters, _ := logpattern.Parameters("Server listening on <*> port <*>", "Server listening on 0.0.0.0 port 22")
	fmt.Println(parameters)
	// Output:
	// 3 Accepted publickey for <*> from <*> port <*>
	// 1 Server listening on <*> port <*>
	// [{ip 0.0.0.0} {number 22}]
}
