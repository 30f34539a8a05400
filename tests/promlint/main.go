// Command promlint reads metrics in Prometheus' text format on stdin and prints what promtool check metrics would say of
// them, one problem a line: {"metric": "...", "text": "..."}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// problem is one line of the output.
type problem struct {
	Metric string `json:"metric"`
	Text   string `json:"text"`
}

func main() {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		fmt.Fprintln(os.Stderr, "promlint: the input is no metrics:", err)
		os.Exit(1)
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, found := range problems {
		if err := encoder.Encode(problem{Metric: found.Metric, Text: found.Text}); err != nil {
			fmt.Fprintln(os.Stderr, "promlint:", err)
			os.Exit(1)
		}
	}
}
