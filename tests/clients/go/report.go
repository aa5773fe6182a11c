package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

var questions = bufio.NewReader(os.Stdin)

// tell prints one line: what was done, and what came of it.
func tell(step string, result any) {
	line, err := json.Marshal(map[string]any{"step": step, "result": result})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// ask has the harness do something that no client can, and waits until it is done.
func ask(what string) error {
	fmt.Printf("{\"ask\":%q}\n", what)
	_, err := questions.ReadString('\n')
	return err
}

// outcome is a result as it is, or an error: a Status in full, anything else by its text.
func outcome(result any, err error) any {
	if err == nil {
		return result
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return map[string]any{"status": status.Status()}
	}
	return map[string]any{"error": err.Error()}
}

// call is what came back over the wire, before any library looked at it.
type call struct {
	Method       string      `json:"method"`
	Path         string      `json:"path"`
	Code         int         `json:"code"`
	Uncompressed bool        `json:"uncompressed"`
	Headers      http.Header `json:"headers"`
}

// recorder notes every answer that the client gets.
type recorder struct {
	mutex sync.Mutex
	calls []call
}

func (r *recorder) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			r.mutex.Lock()
			defer r.mutex.Unlock()
			r.calls = append(r.calls, call{
				request.Method, request.URL.RequestURI(), response.StatusCode,
				response.Uncompressed, response.Header.Clone(),
			})
		}
		return response, err
	})
}

// take returns the calls since it was last asked.
func (r *recorder) take() []call {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	return f(request)
}
