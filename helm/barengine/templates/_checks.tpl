{{/* Values that are right one by one and cannot work together. What is wrong with one value alone
values.schema.json says. */}}
{{- define "barengine.checks" -}}
{{- /* `settings:` with nothing beneath it is null. */ -}}
{{- $settings := .Values.settings | default dict -}}
{{- $secrets := .Values.secrets | default dict -}}

{{- if not (or $settings.bootstrap_servers $secrets.bootstrap_servers) -}}
{{- fail "settings.bootstrap_servers is not set: write the brokers, --set settings.bootstrap_servers=HOST:PORT" -}}
{{- end -}}

{{- range $place, $of := dict "" .Values "infra." .Values.infra -}}
{{- $plain := $of.settings | default dict -}}
{{- $hidden := $of.secrets | default dict -}}
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

{{- range $file := .Values.files -}}
{{- if eq (empty $file.secret) (empty $file.configMap) -}}
{{- fail (printf "files, %s: name either a secret or a configMap" $file.name) -}}
{{- end -}}
{{- end -}}

{{- range $key, $value := $settings -}}
{{- if or (eq $key "input_schema") (hasSuffix "file" $key) -}}
{{- $found := hasPrefix "/etc/ssl/" $value -}}
{{- range $file := $.Values.files -}}
{{- $found = or $found (hasPrefix (printf "%s/" (trimSuffix "/" $file.path)) $value) -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "settings.%s is %s, which no entry of files puts into the pod: add its Secret or ConfigMap to files" $key $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
