package main

import "github.com/spf13/cobra"

func newSimulateIntrusion() *cobra.Command {
	return &cobra.Command{Use: "intrusion", Short: "placeholder"}
}
