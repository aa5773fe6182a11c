// Answers, line by line, what the API server itself makes of a request.
//
// Each line of standard input is a method, a tab and a request target; each line of standard output is the JSON of
// RequestInfoFactory's answer, or {"error": …} where Go's HTTP server or the factory refuses. It is an oracle for
// tests only.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
)

type answer struct {
	Error         string `json:"error,omitempty"`
	IsResource    bool   `json:"isResource"`
	Path          string `json:"path"`
	Verb          string `json:"verb"`
	APIPrefix     string `json:"apiPrefix"`
	Group         string `json:"group"`
	Version       string `json:"version"`
	Namespace     string `json:"namespace"`
	Resource      string `json:"resource"`
	Subresource   string `json:"subresource"`
	Name          string `json:"name"`
	FieldSelector string `json:"fieldSelector"`
	LabelSelector string `json:"labelSelector"`
}

// The prefixes that kube-apiserver configures (NewRequestInfoResolver).
var factory = request.RequestInfoFactory{
	APIPrefixes:          sets.NewString("api", "apis"),
	GrouplessAPIPrefixes: sets.NewString("api"),
}

func ask(method, target string) answer {
	// The server's own reader of a request line, so that its url.ParseRequestURI is judged too.
	wire := method + " " + target + " HTTP/1.1\r\nHost: oracle\r\n\r\n"
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		return answer{Error: err.Error()}
	}
	info, err := factory.NewRequestInfo(req)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{
		IsResource:    info.IsResourceRequest,
		Path:          info.Path,
		Verb:          info.Verb,
		APIPrefix:     info.APIPrefix,
		Group:         info.APIGroup,
		Version:       info.APIVersion,
		Namespace:     info.Namespace,
		Resource:      info.Resource,
		Subresource:   info.Subresource,
		Name:          info.Name,
		FieldSelector: info.FieldSelector,
		LabelSelector: info.LabelSelector,
	}
}

func main() {
	// The factory logs each selector that it cannot parse.
	klog.SetLogger(klog.Logger{})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		method, target, _ := strings.Cut(lines.Text(), "\t")
		if err := encoder.Encode(ask(method, target)); err != nil {
			log.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
