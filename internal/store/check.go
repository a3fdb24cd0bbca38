package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/encoding"
)

// The engine ends the process when it finds its directory not as it left it.
// So this file looks first, at all that the engine looks at when it opens: names,
// sizes and the small files. A changed byte within the rows shows only when they
// are read. The engine's layout:
//
//	store/delete_tasks.json
//	store/partitions/YYYYMMDD/datadb/parts.json         a JSON array of part names
//	store/partitions/YYYYMMDD/datadb/PART/metadata.json and the part's files
//	store/partitions/YYYYMMDD/indexdb/…                 likewise

const (
	engineName = "store"
	accessName = "access.json" // who may use a live case: may be there before the case is (see package server)
)

// checkCase says why dir cannot be opened as a case. A directory that does not
// exist or is empty can.
func checkCase(dir string, mustExist bool) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && !mustExist {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file, not a case directory", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && e.Name() != lockName && e.Name() != accessName {
			names = append(names, e.Name())
		}
	}
	if !slices.Contains(names, ledgerName) {
		if slices.Contains(names, engineName) {
			return fmt.Errorf("%s: the case has lost its %s; its rows cannot be trusted: investigate into a new directory", dir, ledgerName)
		}
		if mustExist {
			return fmt.Errorf("%s is not a Sextant case: %w", dir, fs.ErrNotExist)
		}
		if len(names) > 0 {
			return fmt.Errorf("%s is not a Sextant case and not empty (it has %q): name a new directory", dir, names[0])
		}
	}
	return nil
}

// damaged says which file of the case is not as it should be.
func damaged(path, format string, args ...any) error {
	return fmt.Errorf("the case is damaged: %s: %s; restore the directory from a copy, or investigate into a new one", path, fmt.Sprintf(format, args...))
}

// checkEngine says what of the engine's directory is not as the engine left it.
func checkEngine(dir string) error {
	if err := checkJSON(filepath.Join(dir, "delete_tasks.json"), &[]json.RawMessage{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	partitions := filepath.Join(dir, "partitions")
	days, err := os.ReadDir(partitions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, day := range days {
		path := filepath.Join(partitions, day.Name())
		if strings.HasPrefix(day.Name(), ".") {
			continue
		}
		if _, err := time.Parse("20060102", day.Name()); err != nil || !day.IsDir() {
			return damaged(path, "not a day of the store")
		}
		for _, part := range []string{"datadb", "indexdb"} {
			if err := checkParts(filepath.Join(path, part)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkParts looks at one table. A missing parts.json without parts is what
// remains when the process dies while it makes a new day; the engine mends it.
func checkParts(dir string) error {
	var names []string
	path := filepath.Join(dir, "parts.json")
	err := checkJSON(path, &names)
	if errors.Is(err, fs.ErrNotExist) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() {
				return damaged(path, "missing")
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkPart(filepath.Join(dir, name), filepath.Base(dir)); err != nil {
			return err
		}
	}
	return nil
}

// partFiles are the files that every part of a table has.
var partFiles = map[string][]string{
	"datadb": {"column_names.bin", "column_idxs.bin", "metaindex.bin", "index.bin", "columns_header_index.bin",
		"columns_header.bin", "timestamps.bin", "message_values.bin", "message_bloom.bin"},
	"indexdb": {"metaindex.bin", "index.bin", "items.bin", "lens.bin"},
}

func checkPart(dir, table string) error {
	var meta struct {
		CompressedSizeBytes    int64
		RowsCount, ItemsCount  int64
		BloomValuesShardsCount int
	}
	path := filepath.Join(dir, "metadata.json")
	if err := checkJSON(path, &meta); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return damaged(path, "missing")
		}
		return err
	}
	if meta.RowsCount+meta.ItemsCount <= 0 || meta.BloomValuesShardsCount < 0 || meta.BloomValuesShardsCount > 1024 {
		return damaged(path, "impossible numbers")
	}
	files := slices.Clone(partFiles[table])
	for i := range meta.BloomValuesShardsCount {
		files = append(files, fmt.Sprintf("bloom.bin%d", i), fmt.Sprintf("values.bin%d", i))
	}
	var size int64
	for _, name := range files {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return damaged(filepath.Join(dir, name), "missing")
		}
		size += info.Size()
	}
	for _, name := range []string{"metaindex.bin", "column_names.bin"} { // what the engine reads when it opens the part
		path := filepath.Join(dir, name)
		if !slices.Contains(files, name) {
			continue
		}
		packed, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if text, err := encoding.DecompressZSTD(nil, packed); err != nil || len(text) == 0 {
			return damaged(path, "it does not decompress")
		}
	}
	if table == "datadb" && size != meta.CompressedSizeBytes {
		return damaged(dir, "its files have %d bytes together, not %d", size, meta.CompressedSizeBytes)
	}
	return nil
}

func checkJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return damaged(path, "%s", err)
	}
	return nil
}
