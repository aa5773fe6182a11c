package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

const (
	pod          = "talker" // made by the harness, on the node that answers
	strayPod     = "stray"  // on a node that does not exist
	streamedKiB  = 300
	portInPod    = 7777
	anyLocalPort = 0
)

// streams is all that upgrades a connection or lets it flow: exec, attach, port-forward, logs.
func (s story[C, CL, D, DL]) streams(ctx context.Context) error {
	config := rest.CopyConfig(s.config)
	config.WrapTransport = nil // executors want the transport that they upgrade
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	pods := func(name, subresource string) *url.URL {
		return client.CoreV1().RESTClient().Post().Namespace(s.namespace).Resource("pods").Name(name).SubResource(subresource).URL()
	}
	for _, protocol := range []string{"websocket", "spdy"} {
		run := func(step, name, subresource string, options any, input string) {
			tell(step+"-"+protocol, stream(ctx, config, protocol, withQuery(pods(name, subresource), options), input))
		}
		big := strings.Repeat("0123456789abcde\n", streamedKiB*1024/16)
		run("exec", pod, "exec", command("cat; echo to-stderr >&2; exit 7"), big)
		run("exec-true", pod, "exec", command("true"), "")
		run("exec-nothing", pod, "exec", &corev1.PodExecOptions{Command: []string{"/no/such/command"}, Stdout: true, Stderr: true}, "")
		run("exec-stray", strayPod, "exec", command("true"), "")
		run("exec-missing", "missing", "exec", command("true"), "")
		run("attach", pod, "attach", &corev1.PodAttachOptions{Stdin: true, Stdout: true, Stderr: true}, "attached\n")
		run("attach-stray", strayPod, "attach", &corev1.PodAttachOptions{Stdout: true, Stderr: true}, "")
		tell("port-forward-"+protocol, forward(config, protocol, pods(pod, "portforward")))
		tell("port-forward-stray-"+protocol, forward(config, protocol, pods(strayPod, "portforward")))
	}
	logs := func(step, name string, options *corev1.PodLogOptions) {
		body, err := client.CoreV1().Pods(s.namespace).GetLogs(name, options).DoRaw(ctx)
		tell(step, outcome(string(body), err))
	}
	logs("logs", pod, &corev1.PodLogOptions{})
	logs("logs-follow", pod, &corev1.PodLogOptions{Follow: true, Container: "main"})
	logs("logs-stray", strayPod, &corev1.PodLogOptions{})
	return nil
}

func command(script string) *corev1.PodExecOptions {
	return &corev1.PodExecOptions{Command: []string{"sh", "-c", script}, Container: "main", Stdin: true, Stdout: true, Stderr: true}
}

func withQuery(at *url.URL, options any) *url.URL {
	var encoded url.Values
	var err error
	switch options := options.(type) {
	case *corev1.PodExecOptions:
		encoded, err = scheme.ParameterCodec.EncodeParameters(options, corev1.SchemeGroupVersion)
	case *corev1.PodAttachOptions:
		encoded, err = scheme.ParameterCodec.EncodeParameters(options, corev1.SchemeGroupVersion)
	}
	if err != nil {
		panic(err)
	}
	at.RawQuery = encoded.Encode()
	return at
}

// stream runs one command or attaches to one, by one of the two protocols and no other.
func stream(ctx context.Context, config *rest.Config, protocol string, at *url.URL, input string) any {
	var executor remotecommand.Executor
	var err error
	if protocol == "websocket" {
		executor, err = remotecommand.NewWebSocketExecutor(config, http.MethodGet, at.String())
	} else {
		executor, err = remotecommand.NewSPDYExecutor(config, http.MethodPost, at)
	}
	if err != nil {
		return outcome(nil, err)
	}
	var out, errors bytes.Buffer
	options := remotecommand.StreamOptions{Stdout: &out, Stderr: &errors}
	if at.Query().Get("stdin") == "true" {
		options.Stdin = strings.NewReader(input)
	}
	err = executor.StreamWithContext(ctx, options)
	ended := outcome("ended", err)
	return map[string]any{"out": digest(out.String(), input), "err": errors.String(), "ended": ended}
}

// digest spares the report what it need not repeat.
func digest(text, input string) string {
	if len(text) > 100 && text == input {
		return fmt.Sprintf("the input, %d bytes", len(text))
	}
	return text
}

// forward sends bytes through a forwarded port, half-closes, and reads the answer to its end.
func forward(config *rest.Config, protocol string, at *url.URL) any {
	roundTripper, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return outcome(nil, err)
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, at)
	if protocol == "websocket" {
		if dialer, err = portforward.NewSPDYOverWebsocketDialer(at, config); err != nil {
			return outcome(nil, err)
		}
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	var said bytes.Buffer
	forwarder, err := portforward.NewOnAddresses(
		dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("%d:%d", anyLocalPort, portInPod)}, stop, ready, io.Discard, &said,
	)
	if err != nil {
		return outcome(nil, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case err := <-ended:
		return outcome(said.String(), err)
	case <-ready:
	}
	defer func() { close(stop); <-ended }()
	ports, err := forwarder.GetPorts()
	if err != nil {
		return outcome(nil, err)
	}
	answer, err := talk(fmt.Sprintf("127.0.0.1:%d", ports[0].Local))
	return outcome(answer, err)
}

func talk(address string) (string, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if _, err := connection.Write(bytes.Repeat([]byte("to the port\n"), 20000)); err != nil {
		return "", err
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(connection)
	line, _, _ := strings.Cut(string(answer), "\n")
	return fmt.Sprintf("%d bytes: %s", len(answer), line), err
}
