package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// decodeWatch shows what client-go makes of the bytes of a watch. Each line of the input is a
// content type and, after a space, the body in base64.
func decodeWatch(ctx context.Context, _ []string) error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(input)), "\n") {
		contentType, encoded, _ := strings.Cut(line, " ")
		body, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return err
		}
		events, err := decode(ctx, contentType, body)
		if err != nil {
			return err
		}
		tell("decoded", events)
	}
	return nil
}

func decode(ctx context.Context, contentType string, body []byte) ([]any, error) {
	config := &rest.Config{Host: "http://watch.invalid", Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
			Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body)),
		}, nil
	})}
	config.AcceptContentTypes = protobuf + ",application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	stream, err := client.CoreV1().ConfigMaps("any").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	defer stream.Stop()
	events := []any{}
	for event := range stream.ResultChan() {
		failure := apierrors.FromObject(event.Object)
		events = append(events, map[string]any{
			"type": event.Type, "object": fmt.Sprintf("%T", event.Object),
			"error": outcome(nil, failure), "expired": apierrors.IsResourceExpired(failure),
		})
	}
	return events, nil
}
