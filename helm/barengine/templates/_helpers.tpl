{{/* Name of everything. Room is left for "-infra", and for the number of a StatefulSet's pod. */}}
{{- define "barengine.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = contains "barengine" .Release.Name | ternary .Release.Name (printf "%s-barengine" .Release.Name) -}}
{{- end -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/* What selects the engine's pods. Must never change: a Deployment's selector cannot. */}}
{{- define "barengine.selector" -}}
app.kubernetes.io/name: barengine
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: engine
{{- end }}

{{- define "barengine.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: barengine
{{ include "barengine.selector" . }}
{{- end }}

{{/* The same for the Job, whose pods the engine's Service and policies must not select. */}}
{{- define "barengine.infraSelector" -}}
{{- include "barengine.selector" . | replace "component: engine" "component: infra" }}
{{- end }}

{{- define "barengine.infraLabels" -}}
{{- include "barengine.labels" . | replace "component: engine" "component: infra" }}
{{- end }}

{{- define "barengine.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "barengine.fullname" .) -}}
{{- end }}

{{- define "barengine.port" -}}
{{- get (.Values.settings | default dict) "http_port" | default 8080 | int -}}
{{- end }}

{{/* A topic's or group's name in its context; takes (root, key, default). */}}
{{- define "barengine.inContext" -}}
{{- $settings := (index . 0).Values.settings | default dict -}}
{{- $name := get $settings (index . 1) | default (index . 2) -}}
{{- $settings.context | empty | ternary $name (printf "%s.%s" $settings.context $name) -}}
{{- end }}

{{- define "barengine.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{/*
Environment variables of settings and secrets; takes a dict with both. YAML reads off and on as false
and true, and Helm large numbers as floats: both are written as barengine reads them.
*/}}
{{- define "barengine.env" -}}
{{- range $key, $value := .settings }}
- name: BARENGINE_{{ upper $key }}
  {{- if kindIs "bool" $value }}
  value: {{ ternary "on" "off" $value | quote }}
  {{- else if kindIs "float64" $value }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ $value | toString | replace "$(" "$$(" | quote }}
  {{- end }}
{{- end }}
{{- range $key, $from := .secrets }}
- name: BARENGINE_{{ upper $key }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.name }}
      key: {{ $from.key }}
{{- end }}
{{- end }}

{{/* What every pod of ours is, besides its containers: Pod Security "restricted". */}}
{{- define "barengine.pod" -}}
automountServiceAccountToken: false
# Else a Service named barengine would put variables BARENGINE_… into the pod.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ int64 . }}
  runAsGroup: {{ int64 . }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Files of Secrets and ConfigMaps: the pod's side; takes the list. */}}
{{- define "barengine.volumes" -}}
{{- with . }}
volumes:
  {{- range . }}
  - name: {{ .name }}
    {{- if .secret }}
    secret:
      secretName: {{ .secret }}
      defaultMode: 288 # 0440: for us, by fsGroup, and nobody else
    {{- else }}
    configMap:
      name: {{ .configMap }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The container's side. */}}
{{- define "barengine.mounts" -}}
{{- with . }}
volumeMounts:
  {{- range . }}
  - name: {{ .name }}
    mountPath: {{ .path }}
    readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Which key of which Secret or ConfigMap a file of the pod is; takes (files, path). Empty: of none. */}}
{{- define "barengine.origin" -}}
{{- $path := index . 1 -}}
{{- range index . 0 -}}
{{- if eq (dir $path) .path -}}
{{- dict "in" (ternary "secret" "configMap" (not (empty .secret))) "name" (.secret | default .configMap) "key" (base $path) | toYaml -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Lists of things with a name, as YAML: what the Job has of its own takes the place of the engine's. */}}
{{- define "barengine.own" -}}
{{- $own := index . 1 | default list -}}
{{- $names := list -}}
{{- range $own -}}{{- $names = append $names .name -}}{{- end -}}
{{- $all := list -}}
{{- range index . 0 -}}{{- if not (has .name $names) -}}{{- $all = append $all . -}}{{- end -}}{{- end -}}
{{- concat $all $own | toYaml -}}
{{- end }}

{{/* What every container of ours is, besides its command and environment. Nothing is ever written. */}}
{{- define "barengine.container" -}}
image: {{ include "barengine.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Slow on purpose: each step makes the group move partitions. */}}
{{- define "barengine.scaling" -}}
scaleUp:
  stabilizationWindowSeconds: 60
  policies:
    - {type: Pods, value: 2, periodSeconds: 120}
scaleDown:
  stabilizationWindowSeconds: 900
  policies:
    - {type: Pods, value: 1, periodSeconds: 300}
{{- end }}
