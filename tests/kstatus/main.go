// Command kstatus reads Kubernetes objects as JSON on stdin (one after the other, or Lists) and prints, for each, what
// kubectl, Flux and Argo CD would make of its status: {"status": "Current", "message": "..."}, one a line.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// reading is one line of the output.
type reading struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

// run reads all objects of in and writes a reading of each to out.
func run(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	encoder := json.NewEncoder(out)
	for {
		var content json.RawMessage
		if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the input is no JSON: %w", err)
		}
		objects, err := objectsOf(content)
		if err != nil {
			return err
		}
		for i := range objects {
			result, err := status.Compute(&objects[i])
			if err != nil {
				return fmt.Errorf("%s: %w", objects[i].GetName(), err)
			}
			line := reading{Name: objects[i].GetName(), Status: result.Status.String(), Message: result.Message}
			if err := encoder.Encode(line); err != nil {
				return err
			}
		}
	}
}

// objectsOf returns the items of a List, or the object itself.
func objectsOf(content json.RawMessage) ([]unstructured.Unstructured, error) {
	// UnmarshalJSON keeps whole numbers whole: a generation that became a float would be no generation.
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(content); err != nil {
		return nil, fmt.Errorf("not a Kubernetes object: %w", err)
	}
	if !object.IsList() {
		return []unstructured.Unstructured{object}, nil
	}
	list, err := object.ToList()
	if err != nil {
		return nil, fmt.Errorf("not a Kubernetes list: %w", err)
	}
	return list.Items, nil
}
