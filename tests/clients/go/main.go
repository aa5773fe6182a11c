// Command clients is what an application written in Go is: unmodified client-go, set up by
// rest.InClusterConfig and nothing else. It prints one JSON line for each thing it did.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/klog/v2"
)

var programs = map[string]func(context.Context, []string) error{
	"typed":   tellTyped,
	"dynamic": tellDynamic,
	"burst":   watchBurst,
	"paced":   postPaced,
	"decode":  decodeWatch,
}

func main() {
	klog.SetOutput(os.Stderr)
	run, known := programs[name()]
	if !known {
		fmt.Fprintln(os.Stderr, "usage: clients typed|dynamic|burst|paced|decode [arguments]")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func name() string {
	if len(os.Args) < 2 {
		return ""
	}
	return os.Args[1]
}
