{{/* Values that are right one by one and cannot work together. What is wrong with one value alone
values.schema.json says. */}}
{{- define "barengine.checks" -}}
{{- /* `settings:` with nothing beneath it is null. */ -}}
{{- $settings := .Values.settings | default dict -}}
{{- $secrets := .Values.secrets | default dict -}}

{{- if not (or $settings.bootstrap_servers $secrets.bootstrap_servers) -}}
{{- fail "settings.bootstrap_servers is not set: write the brokers, --set settings.bootstrap_servers=HOST:PORT" -}}
{{- end -}}

{{- $jobFiles := include "barengine.own" (list .Values.files .Values.infra.files) | fromYamlArray -}}
{{- range $place, $of := dict "" .Values "infra." .Values.infra -}}
{{- $plain := $of.settings | default dict -}}
{{- $hidden := $of.secrets | default dict -}}
{{- include "barengine.checkFiles" (list $place (empty $place | ternary $.Values.files $jobFiles) $plain) -}}
{{- if regexMatch "://[^/]*:[^/]*@" ($plain.schema_registry_url | default "") -}}
{{- fail (printf "%ssettings.schema_registry_url holds a password, which would stand in the manifests for all to read: take it out of the URL, and set %ssettings.schema_registry_username and %ssecrets.schema_registry_password: {name: …, key: …}" $place $place $place) -}}
{{- end -}}
{{- range $key := keys $plain | sortAlpha -}}
{{- if hasKey $hidden $key -}}
{{- fail (printf "%s is in %ssettings and in %ssecrets: remove one" $key $place $place) -}}
{{- end -}}
{{- if hasSuffix "password" $key -}}
{{- fail (printf "%ssettings.%s would stand in the manifests for all to read: put it into a Secret, and name that: %ssecrets.%s: {name: …, key: …}" $place $key $place $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := concat (keys $plain) (keys $hidden) -}}
{{- if eq $key "config" -}}
{{- fail (printf "%ssettings.config: in the chart there is no file of settings; write its keys under settings" $place) -}}
{{- end -}}
{{- if eq $key "group_instance_id" -}}
{{- fail (printf "%ssettings.group_instance_id: pods would have one name in common; staticMembers.enabled=true gives each its own" $place) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and .Values.infra.enabled (has ($settings.auto_create_topics | toString) (list "true" "on")) -}}
{{- fail "infra.enabled and settings.auto_create_topics: the Job makes the topics before the engine starts; remove settings.auto_create_topics, or set infra.enabled=false" -}}
{{- end -}}

{{- range $at, $word := .Values.infra.args -}}
{{- $to := "" -}}
{{- if eq $word "--metrics-file" -}}
{{- $to = slice $.Values.infra.args (add1 $at | int) | first | default "" -}}
{{- else if hasPrefix "--metrics-file=" $word -}}
{{- $to = trimPrefix "--metrics-file=" $word -}}
{{- end -}}
{{- if not (has $to (list "" "-")) -}}
{{- fail (printf "infra.args: --metrics-file %s: the Job can write no file; write \"-\", and its log has them" $to) -}}
{{- end -}}
{{- end -}}

{{- if hasKey $secrets "http_port" -}}
{{- fail "secrets.http_port: probes and Service must know it; write settings.http_port" -}}
{{- end -}}

{{- if eq .Values.autoscaling.by "lag" -}}
{{- range $key := list "context" "group_id" "input_topic" "security_protocol" "sasl_mechanism" "start" -}}
{{- if hasKey $secrets $key -}}
{{- fail (printf "autoscaling.by=lag and secrets.%s: KEDA must know it; write settings.%s" $key $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and (eq .Values.autoscaling.by "lag") (not .Values.autoscaling.authenticationRef) (hasSuffix "SSL" ($settings.security_protocol | default "" | upper)) -}}
{{- $wayOut := "or name a TriggerAuthentication of yours in autoscaling.authenticationRef" -}}
{{- range $key := list "ssl_cafile" "ssl_certfile" "ssl_keyfile" -}}
{{- if hasKey $secrets $key -}}
{{- fail (printf "autoscaling.by=lag and secrets.%s: KEDA must know which file it is; write settings.%s, %s" $key $key $wayOut) -}}
{{- end -}}
{{- $path := get $settings $key | default "" -}}
{{- /* The image's own authorities are KEDA's, too. */ -}}
{{- $public := and (eq $key "ssl_cafile") (hasPrefix "/etc/ssl/" $path) -}}
{{- if and $path (not $public) (not (include "barengine.origin" (list $.Values.files $path))) -}}
{{- fail (printf "autoscaling.by=lag and settings.%s=%s: KEDA takes it from the Secret or ConfigMap, and it is a key of none in files; write the path of an entry of files and a key behind it, %s" $key $path $wayOut) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if has $settings.http_host (list "127.0.0.1" "localhost" "::1") -}}
{{- fail (printf "settings.http_host is %s, where neither probes nor Prometheus reach it: remove it (or write \"::\" in an IPv6 cluster)" $settings.http_host) -}}
{{- end -}}

{{- if .Values.staticMembers.enabled -}}
{{- if not $settings.session_timeout -}}
{{- fail "staticMembers.enabled needs settings.session_timeout: longer than a pod's restart takes (such as 60s), else its partitions move all the same" -}}
{{- end -}}
{{- if ne .Values.autoscaling.by "none" -}}
{{- fail (printf "staticMembers.enabled and autoscaling.by=%s: a static member that an autoscaler removes leaves its partitions alone for settings.session_timeout; choose one" .Values.autoscaling.by) -}}
{{- end -}}
{{- end -}}

{{- with .Values.autoscaling -}}
{{- if and (ne .by "none") (lt (int .maxReplicas) (int .minReplicas)) -}}
{{- fail (printf "autoscaling.maxReplicas is %d, less than autoscaling.minReplicas, %d: raise it" (int .maxReplicas) (int .minReplicas)) -}}
{{- end -}}
{{- if and (eq .by "cpu") (not (dig "requests" "cpu" "" $.Values.resources)) -}}
{{- fail "autoscaling.by=cpu needs resources.requests.cpu: percent of what, else?" -}}
{{- end -}}
{{- end -}}

{{- end }}

{{/* The files of the engine or of the Job, and the settings that name one; takes (place, files, settings). */}}
{{- define "barengine.checkFiles" -}}
{{- $place := index . 0 -}}
{{- $files := index . 1 -}}
{{- $names := list -}}
{{- $paths := list -}}
{{- range $file := $files -}}
{{- if eq (empty $file.secret) (empty $file.configMap) -}}
{{- fail (printf "%sfiles, %s: name either a secret or a configMap" $place $file.name) -}}
{{- end -}}
{{- if has $file.name $names -}}
{{- fail (printf "%sfiles has two entries named %s: give each a name of its own" $place $file.name) -}}
{{- end -}}
{{- if has $file.path $paths -}}
{{- fail (printf "%sfiles puts two entries at %s, and one would hide the other: give each a path of its own" $place $file.path) -}}
{{- end -}}
{{- $names = append $names $file.name -}}
{{- $paths = append $paths $file.path -}}
{{- end -}}

{{- range $key, $value := index . 2 -}}
{{- $path := "" -}}
{{- if or (eq $key "input_schema") (hasSuffix "file" $key) -}}
{{- $path = $value -}}
{{- else if and (eq $key "schedule") (not (regexMatch "^(topic|exchange):" $value)) -}}
{{- $path = trimPrefix "file:" $value | trim -}}
{{- end -}}
{{- $found := or (empty $path) (hasPrefix "/etc/ssl/" $path) -}}
{{- range $file := $files -}}
{{- $found = or $found (hasPrefix (printf "%s/" (trimSuffix "/" $file.path)) $path) -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "%ssettings.%s is %s, which no entry of files puts into the pod: add its Secret or ConfigMap to %sfiles" $place $key $value $place) -}}
{{- end -}}
{{- end -}}
{{- end }}
