package spool

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const marksName = "marks.json"

// Mark returns the position kept under the name last, "" if there is none.
func (s *Spool) Mark(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[name]
}

func (s *Spool) mark(d *Delivery) {
	switch {
	case d.Mark.Name == "":
	case d.Mark.Value == "":
		delete(s.marks, d.Mark.Name)
	default:
		s.marks[d.Mark.Name] = d.Mark.Value
	}
}

// saveMarks keeps the marks apart from the segments that are to be removed. It
// may be ahead of segments that remain: those say again what it says.
func (s *Spool) saveMarks() error {
	data, err := json.Marshal(s.marks)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, marksName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	syncDir(s.dir)
	return err
}

func (s *Spool) loadMarks() error {
	path := filepath.Join(s.dir, marksName)
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.marks)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
