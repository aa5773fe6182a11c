package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

const (
	deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"story"},"spec":{
		"replicas":1,"selector":{"matchLabels":{"app":"story"}},"template":{"metadata":{"labels":{"app":"story"}},
		"spec":{"containers":[{"name":"one","image":"example.invalid/one:1"}]}}}}`
	secondContainer = `{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"example.invalid/two:1"}]}}}}`
	initialEnd      = "k8s.io/initial-events-end"
	pages           = 7
)

// story is the same for the typed and the dynamic client: all that a program does with an API.
type story[C, CL, D, DL runtime.Object] struct {
	config      *rest.Config
	namespace   string
	record      *recorder
	configMaps  kind[C, CL]
	deployments kind[D, DL]
	apply       func(manager, text string, force bool) (C, error)
}

func (s story[C, CL, D, DL]) tell(ctx context.Context) error {
	parts := []func(context.Context) error{
		s.objects, s.chunks, s.watches, s.patches, s.removals, s.raw, s.streams,
	}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// did tells a step with its result and what came over the wire for it.
func (s story[C, CL, D, DL]) did(step string, result any, err error) {
	tell(step, map[string]any{"outcome": outcome(result, err), "calls": s.record.take()})
}

func configMap(name, value string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"labels":{"part":%q}},"data":{"key":%q}}`,
		name, strings.Split(name, "-")[0], value)
}

func (s story[C, CL, D, DL]) objects(ctx context.Context) error {
	create := func(step, text string, options metav1.CreateOptions) (C, error) {
		made, err := s.configMaps.Create(ctx, s.configMaps.parse(text), options)
		s.did(step, made, err)
		return made, err
	}
	get := func(step, name string) {
		found, err := s.configMaps.Get(ctx, name, metav1.GetOptions{})
		s.did(step, found, err)
	}
	made, err := create("create", configMap("plain", "first"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	create("create-again", configMap("plain", "second"), metav1.CreateOptions{})
	create("create-invalid", configMap("Not_A_Name", ""), metav1.CreateOptions{})
	create("create-dry-run", configMap("imagined", "x"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	create("create-elsewhere", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"elsewhere"}}`, metav1.CreateOptions{})
	get("get", "plain")
	get("get-missing", "imagined")
	accessor, err := meta.Accessor(made)
	if err != nil {
		return err
	}
	accessor.SetAnnotations(map[string]string{"updated": "once"})
	updated, err := s.configMaps.Update(ctx, made, metav1.UpdateOptions{FieldValidation: "Strict"})
	s.did("update", updated, err)
	accessor.SetAnnotations(map[string]string{"updated": "twice"})
	updated, err = s.configMaps.Update(ctx, made, metav1.UpdateOptions{})
	s.did("update-stale", updated, err)
	return nil
}

func (s story[C, CL, D, DL]) chunks(ctx context.Context) error {
	for number := range pages {
		text := configMap(fmt.Sprintf("page-%d", number), "x")
		if _, err := s.configMaps.Create(ctx, s.configMaps.parse(text), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	s.record.take()
	options := metav1.ListOptions{LabelSelector: "part=page", Limit: 3}
	if err := s.page("list-chunks", ctx, options); err != nil {
		return err
	}
	first, err := s.configMaps.List(ctx, options)
	if err != nil {
		return err
	}
	accessor, err := meta.ListAccessor(first)
	if err != nil {
		return err
	}
	old := accessor.GetResourceVersion()
	options.Continue = accessor.GetContinue()
	changed := configMap("page-0", "changed")
	if _, err := s.configMaps.Update(ctx, s.configMaps.parse(changed), metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := ask("compact"); err != nil {
		return err
	}
	s.record.take()
	_, err = s.configMaps.List(ctx, options)
	s.did("list-expired", nil, err)
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		options.Continue = status.Status().ListMeta.Continue
	}
	if err := s.page("list-resumed", ctx, options); err != nil {
		return err
	}
	_, err = s.configMaps.List(ctx, metav1.ListOptions{ResourceVersion: old, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	s.did("list-exact-expired", nil, err)
	return s.events(ctx, "watch-expired", metav1.ListOptions{ResourceVersion: "1"}, nil, nil)
}

// page follows a list to its end, a chunk at a time.
func (s story[C, CL, D, DL]) page(step string, ctx context.Context, options metav1.ListOptions) error {
	for number := 0; ; number++ {
		list, err := s.configMaps.List(ctx, options)
		s.did(fmt.Sprintf("%s-%d", step, number), list, err)
		if err != nil {
			return err
		}
		accessor, err := meta.ListAccessor(list)
		if err != nil {
			return err
		}
		if options.Continue = accessor.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

func (s story[C, CL, D, DL]) watches(ctx context.Context) error {
	list, err := s.configMaps.List(ctx, metav1.ListOptions{LabelSelector: "part=watched"})
	if err != nil {
		return err
	}
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return err
	}
	seconds := int64(4) // the server sends a bookmark two seconds before it ends a watch
	changes := func() error {
		watched := s.configMaps.parse(configMap("watched", "1"))
		if _, err := s.configMaps.Create(ctx, watched, metav1.CreateOptions{}); err != nil {
			return err
		}
		patch := []byte(`{"data":{"key":"2"}}`)
		if _, err := s.configMaps.Patch(ctx, "watched", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
		return s.configMaps.Delete(ctx, "watched", metav1.DeleteOptions{})
	}
	err = s.events(ctx, "watch", metav1.ListOptions{
		LabelSelector: "part=watched", ResourceVersion: accessor.GetResourceVersion(),
		AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	}, changes, nil)
	if err != nil {
		return err
	}
	yes := true
	return s.events(ctx, "watch-list", metav1.ListOptions{
		LabelSelector: "part=page", SendInitialEvents: &yes, AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}, nil, func(event watch.Event) bool {
		accessor, err := meta.Accessor(event.Object)
		return err == nil && accessor.GetAnnotations()[initialEnd] == "true"
	})
}

// events tells what a watch brought until it ended, or until one event was the last wanted.
func (s story[C, CL, D, DL]) events(
	ctx context.Context, step string, options metav1.ListOptions, changes func() error, last func(watch.Event) bool,
) error {
	s.record.take()
	stream, err := s.configMaps.Watch(ctx, options)
	if err != nil {
		s.did(step, nil, err)
		return nil
	}
	defer stream.Stop()
	calls := s.record.take()
	if changes != nil {
		if err := changes(); err != nil {
			return err
		}
	}
	seen := []any{}
	deadline := time.After(20 * time.Second)
	for {
		select {
		case event, more := <-stream.ResultChan():
			if more {
				seen = append(seen, map[string]any{"type": event.Type, "object": event.Object})
			}
			if !more || last != nil && last(event) {
				s.record.take()
				tell(step, map[string]any{"events": seen, "calls": calls})
				return nil
			}
		case <-deadline:
			return fmt.Errorf("%s: the watch did not end; it brought %v", step, seen)
		}
	}
}

func (s story[C, CL, D, DL]) patches(ctx context.Context) error {
	made, err := s.deployments.Create(ctx, s.deployments.parse(deployment), metav1.CreateOptions{})
	s.did("create-deployment", made, err)
	patch := func(step string, kind types.PatchType, text string, options metav1.PatchOptions, subresources ...string) {
		patched, err := s.deployments.Patch(ctx, "story", kind, []byte(text), options, subresources...)
		s.did(step, patched, err)
	}
	patch("patch-json", types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":2}]`, metav1.PatchOptions{})
	patch("patch-json-failing", types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":9}]`, metav1.PatchOptions{})
	patch("patch-merge", types.MergePatchType, `{"metadata":{"annotations":{"a":"b"}},"spec":{"paused":true}}`, metav1.PatchOptions{})
	patch("patch-strategic", types.StrategicMergePatchType, secondContainer, metav1.PatchOptions{})
	patch("patch-dry-run", types.MergePatchType, `{"spec":{"replicas":5}}`, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	patch("patch-strict", types.MergePatchType, `{"spec":{"replica":5}}`, metav1.PatchOptions{FieldValidation: "Strict"})
	patch("patch-warning", types.MergePatchType, `{"spec":{"replica":5}}`, metav1.PatchOptions{FieldValidation: "Warn"})
	patch("patch-apply", types.ApplyPatchType, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"story","labels":{"applied":"yes"}}}`, metav1.PatchOptions{FieldManager: "story"})
	patch("patch-status", types.MergePatchType, `{"status":{"replicas":2}}`, metav1.PatchOptions{}, "status")
	patch("patch-conflict", types.MergePatchType, `{"metadata":{"resourceVersion":"1"}}`, metav1.PatchOptions{})
	applied := func(step, manager, value string, force bool) {
		object, err := s.apply(manager, configMap("applied", value), force)
		s.did(step, object, err)
	}
	applied("apply-create", "one", "x", false)
	applied("apply-conflict", "two", "y", false)
	applied("apply-force", "two", "y", true)
	return nil
}

func (s story[C, CL, D, DL]) removals(ctx context.Context) error {
	stranger := types.UID("00000000-0000-0000-0000-000000000000")
	foreground := metav1.DeletePropagationForeground
	remove := func(step, name string, options metav1.DeleteOptions) {
		s.did(step, "deleted", s.configMaps.Delete(ctx, name, options))
	}
	remove("delete-precondition", "plain", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &stranger}})
	remove("delete-dry-run", "plain", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	remove("delete", "plain", metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	remove("delete-again", "plain", metav1.DeleteOptions{})
	s.did("delete-foreground", "deleted", s.deployments.Delete(ctx, "story", metav1.DeleteOptions{PropagationPolicy: &foreground}))
	s.did("delete-collection", "deleted", s.configMaps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "part=page"}))
	left, err := s.configMaps.List(ctx, metav1.ListOptions{})
	s.did("list-left", left, err)
	s.did("delete-all", "deleted", s.configMaps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	// Nothing but its finalizer holds it: no garbage collector runs here.
	_, err = s.deployments.Patch(ctx, "story", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	s.did("delete-finalized", "deleted", err)
	return nil
}

// canonical gives maps of any depth the one order that encoding/json knows.
func canonical(text []byte) any {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return string(text)
	}
	return value
}
