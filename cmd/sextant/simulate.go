package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/simulate"
)

var _ = command(newSimulate)

func newSimulate() *cobra.Command {
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Write the logs of things that never happened, to try things on",
		Long: `Write simulated logs: a network intrusion detection system's table, or whole
intrusions in the native formats of the products that would have logged them, with
labels that say what is what. The same seed gives the same bytes.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newSimulateNIDS(), newSimulateIntrusion())
	return c
}

func newSimulateNIDS() *cobra.Command {
	var rows int
	var seed uint64
	var output string
	c := &cobra.Command{
		Use:   "nids",
		Short: "A CSV table as a network intrusion detection system would write it",
		Long: `Write a CSV file with the columns timestamp, user_id, source_ip, destination_ip,
action and success: several actions, login attempts prominent among them.`,
		Example: `  sextant simulate nids --rows 1000 --seed 1 -o network_logs.csv
  sextant simulate nids --rows 1000000 | sextant logins -`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if rows < 0 {
				return usagef("--rows %d: want 0 or more", rows)
			}
			return writeFile(c, output, func(w io.Writer) error {
				return simulate.WriteNIDS(w, simulate.NIDSOptions{Rows: rows, Seed: seed})
			})
		},
	}
	c.Flags().IntVar(&rows, "rows", 1000, "number of records")
	c.Flags().Uint64Var(&seed, "seed", 1, "the same seed gives the same bytes")
	c.Flags().StringVarP(&output, "output", "o", "-", "file to write; - is standard output")
	return c
}

// writeFile calls write with the named file, or with standard output for "-".
func writeFile(c *cobra.Command, name string, write func(io.Writer) error) error {
	if name == "-" || name == "" {
		w := buffered(c)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(w)
	if e := w.Flush(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
