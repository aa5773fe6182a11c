// Command node answers what a kubelet answers about its pods: exec, attach, port-forward and logs.
// The protocols are those of the real thing, k8s.io/cri-streaming; the containers are processes of
// this machine. Only who shows a certificate of the given authority may run one.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	idle     = time.Minute
	creation = 10 * time.Second
	logLines = 5
	echoPort = 7778
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: node certificate key authority")
	}
	authority, err := os.ReadFile(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		log.Fatal("the authority's file holds no certificate")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Handler:           routes(),
		ReadHeaderTimeout: creation,
		TLSConfig:         &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // upgrades are HTTP/1.1
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.ServeTLS(listener, os.Args[1], os.Args[2]))
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		if options := optionsOf(w, r); options != nil {
			remotecommand.ServeExec(w, r, processes{}, r.PathValue("pod"), "", r.PathValue("container"), r.Form["command"],
				options, idle, creation, remotecommand.SupportedStreamingProtocols)
		}
	})
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		if options := optionsOf(w, r); options != nil {
			remotecommand.ServeAttach(w, r, processes{}, r.PathValue("pod"), "", r.PathValue("container"),
				options, idle, creation, remotecommand.SupportedStreamingProtocols)
		}
	})
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, processes{}, r.PathValue("pod"), "", options, idle, creation, portforward.SupportedProtocols)
	})
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", serveLogs)
	return mux
}

func optionsOf(w http.ResponseWriter, r *http.Request) *remotecommand.Options {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil
	}
	return options
}

// serveLogs writes a line at a time when it is followed.
func serveLogs(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	for line := range logLines {
		fmt.Fprintf(w, "%s %s says line %d\n", r.PathValue("pod"), r.PathValue("container"), line)
		if r.URL.Query().Get("follow") == "true" {
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// processes stands for a container runtime.
type processes struct{}

func (processes) ExecInContainer(ctx context.Context, _, _, _ string, command []string, in io.Reader, out, errors io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Stdout = out
	if errors != nil {
		process.Stderr = errors
	}
	input, err := process.StdinPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	go func() { // a process may end before its input does
		if in != nil {
			io.Copy(input, in)
		}
		input.Close()
	}()
	err = process.Wait()
	if exit, ended := err.(*exec.ExitError); ended {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// AttachContainer is a container that repeats what it hears, if it can hear.
func (processes) AttachContainer(_ context.Context, _, _, _ string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	if _, err := fmt.Fprintln(out, "the container says hello"); err != nil || in == nil {
		return err
	}
	_, err := io.Copy(out, in)
	return err
}

// PortForward is a port whose answer comes after all that was said to it, or, for clients that
// cannot end what they say, one that repeats what it hears.
func (processes) PortForward(_ context.Context, pod, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	if port == echoPort {
		_, err := io.Copy(stream, stream)
		return err
	}
	digest := sha256.New()
	size, err := io.Copy(digest, stream)
	if err != nil {
		return err
	}
	answer := fmt.Sprintf("%s:%d heard %d bytes, %x\n", pod, port, size, digest.Sum(nil))
	_, err = stream.Write(bytes.Repeat([]byte(answer), 1000))
	return err
}
